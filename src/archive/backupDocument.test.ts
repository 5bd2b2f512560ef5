import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { archiveBench, type ArchiveBench } from '../../test/fixtures/archive.js';
import { describeWith } from '../../test/fixtures/requirements.js';
import { mariadbMissing, startMariadb, type MariadbServer } from '../../test/fixtures/servers/mariadb.js';
import { createMariadbEngine } from '../engines/mariadb/mariadbEngine.js';
import type { TakenBackup } from './archive.js';
import { readBackupDocument, serializeBackupDocument, type BackupDocument } from './backupDocument.js';
import { compareInventories } from './compareInventories.js';
import { fitBackupDocument } from './fitBackupDocument.js';
import { restoreBackup } from './restoreBackup.js';
import { takeBackup } from './takeBackup.js';

describeWith({ mariadb: mariadbMissing }, 'backup.json', () => {
  let server: MariadbServer;
  let bench: ArchiveBench;
  const engine = createMariadbEngine();

  beforeAll(async () => {
    [server, bench] = await Promise.all([startMariadb(), archiveBench()]);
  });
  afterAll(async () => {
    await Promise.all([server.stop(), bench.remove()]);
  });

  async function backup(databases: readonly string[]): Promise<{ taken: TakenBackup; document: BackupDocument }> {
    const input = await bench.backup(engine, server.connection({ databases }));
    const taken = await takeBackup(input);
    const document = await readBackupDocument(bench.storage, input.folder);
    if (document === undefined) throw new Error('There is no backup.json.');
    return { taken, document };
  }

  test('keeps objects that are named like properties of every JavaScript object, and a restore brings them back', async () => {
    await server.sql(named);
    const databases = ['__proto__', 'constructor', 'toString'];
    const { taken, document } = await backup(databases);
    expect(document.inventory).toEqual(JSON.parse(JSON.stringify(taken.inventory)));
    expect(Object.keys(document.inventory.databases[0]?.definitions?.['views'] ?? {})).toEqual([
      '__proto__',
      'valueOf',
    ]);
    await server.sql(databases.map((name) => `DROP DATABASE \`${name}\`;`).join(' '));
    const { differences, warnings } = await restoreBackup({
      ...{ restoreId: 'this restore', engine, target: server.connection(), storage: bench.storage },
      ...{ backup: { ...taken, inventory: document.inventory }, workFolder: await bench.workFolder() },
      ...{ signal: new AbortController().signal, stallTimeoutMs: 60_000 },
      onPhase: () => Promise.resolve(),
      onProgress: () => undefined,
      onToolStarting: () => Promise.resolve(),
    });
    expect({ differences, warnings }).toEqual({ differences: [], warnings: [] });
    expect(await server.sql('SELECT * FROM `__proto__`.`constructor`; SELECT * FROM `__proto__`.`__proto__`')).toBe(
      '7\t7\n7\n',
    );
    // A definition that only one of the two records contains is not compared with a property of the language.
    const [first, ...others] = taken.inventory.databases;
    const blind = { ...taken.inventory, databases: [{ ...first, definitions: { views: {} } }, ...others] };
    expect(compareInventories(blind as typeof taken.inventory, taken.inventory).differences).toEqual([]);
  });

  test('loses its indentation if it is too large to be read, and its definitions if it is still too large', async () => {
    await server.sql('CREATE DATABASE plain; CREATE TABLE plain.t (a INT); CREATE VIEW plain.v AS SELECT 1 AS a;');
    const { document } = await backup(['plain']);
    const [indented, inOneLine] = [serializeBackupDocument(document).length, JSON.stringify(document).length + 1];
    expect(fitBackupDocument(document, indented).bytes).toEqual(serializeBackupDocument(document));
    expect(fitBackupDocument(document, indented - 1)).toMatchObject({ document, bytes: { length: inOneLine } });
    const smaller = fitBackupDocument(document, inOneLine - 1);
    expect(smaller.bytes.length).toBeLessThan(inOneLine);
    expect(smaller.document.warnings.at(-1)).toMatch(/does not record the definitions/);
    await bench.storage.putBytes('smaller/backup.json', smaller.bytes, { signal: new AbortController().signal });
    expect(await readBackupDocument(bench.storage, 'smaller/')).toEqual(smaller.document);
    const { notCompared, differences } = compareInventories(smaller.document.inventory, document.inventory);
    expect({ notCompared, differences }).toEqual({
      notCompared: 'The definitions were not compared: the backup does not record them.',
      differences: [],
    });
    expect(() => fitBackupDocument(document, 100)).toThrow(/more than 100 bytes/);
  });
});

const named = ['__proto__', 'constructor', 'toString']
  .map(
    (database) => `CREATE DATABASE \`${database}\`; USE \`${database}\`;
  CREATE TABLE \`constructor\` (\`__proto__\` INT PRIMARY KEY, \`toString\` INT AS (\`__proto__\`), KEY \`constructor\` (\`toString\`));
  INSERT INTO \`constructor\` (\`__proto__\`) VALUES (7);
  CREATE VIEW \`__proto__\` AS SELECT \`__proto__\` FROM \`constructor\`; CREATE VIEW \`valueOf\` AS SELECT * FROM \`__proto__\`;
  CREATE SEQUENCE \`hasOwnProperty\`; CREATE EVENT \`__proto__\` ON SCHEDULE EVERY 1 DAY DO SELECT 1;
  CREATE TRIGGER \`constructor\` BEFORE INSERT ON \`constructor\` FOR EACH ROW SET @a = 1;
  CREATE PROCEDURE \`__proto__\`(\`constructor\` INT) SELECT 1; CREATE FUNCTION \`toString\`() RETURNS INT DETERMINISTIC RETURN 1;`,
  )
  .join('\n');
