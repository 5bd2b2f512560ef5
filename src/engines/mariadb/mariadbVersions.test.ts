import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { preflightOf, restoreDump, takeDump, type TakenDump } from '../../../test/fixtures/dumpAndRestore.js';
import { fingerprint } from '../../../test/fixtures/mariadbFingerprint.js';
import { describeWith } from '../../../test/fixtures/requirements.js';
import { mariadbMissing, startMariadb, type MariadbServer } from '../../../test/fixtures/servers/mariadb.js';
import { mariadbHome, mariadbVersionsMissing } from '../../../test/fixtures/servers/mariadbVersions.js';
import { Secret } from '../../secret.js';
import type { EngineContext } from '../engineContext.js';
import { createMariadbEngine } from './mariadbEngine.js';

type Version = '10.2' | '10.11' | '11.4';
const versions: readonly Version[] = ['10.2', '10.11', '11.4'];
const homes = { '10.2': mariadbHome('10.2.11'), '10.11': undefined, '11.4': mariadbHome('11.4.5') };

/** Objects and values that all three versions support. */
const sample = `SET NAMES utf8mb4; SET SESSION sql_mode = '', check_constraint_checks = 0;
  CREATE DATABASE \`nä me\` CHARACTER SET utf8mb4; USE \`nä me\`;
  CREATE TABLE \`tä\`\`ble\` (id INT PRIMARY KEY, t VARCHAR(100) COMMENT 'ü', n TEXT CHARACTER SET cp1251, d DATETIME(6), z DATE NOT NULL, ts TIMESTAMP(3) NULL);
  INSERT INTO \`tä\`\`ble\` VALUES (0, '💾 back\\\\slash "q"', 'да', '9999-12-31 23:59:59.999999', '0000-00-00', '2024-03-31 01:30:00.123'), (-1, NULL, '', NULL, '2024-00-10', NULL);
  CREATE TABLE bytes (id INT PRIMARY KEY, b BLOB, v VARBINARY(300), f BIT(13), g GEOMETRY);
  INSERT INTO bytes VALUES (1, UNHEX('00FF5C270A0D1A22'), UNHEX('00'), b'1010101010101', POINT(1.5, -2));
  CREATE TABLE made (id INT PRIMARY KEY AUTO_INCREMENT, n INT, d INT AS (n * 2) VIRTUAL, s VARCHAR(50) AS (CONCAT('#', 3)) STORED, j LONGTEXT, KEY (s)) AUTO_INCREMENT = 1000;
  INSERT INTO made (id, j) VALUES (1, '{"b":1,"a":[null]}');
  CREATE TABLE checked (n INT CHECK (n > 0)); INSERT INTO checked VALUES (-5), (7);
  CREATE TABLE parts (id INT, day DATE, PRIMARY KEY (id, day)) PARTITION BY RANGE (YEAR(day)) (PARTITION old VALUES LESS THAN (2000), PARTITION late VALUES LESS THAN MAXVALUE);
  INSERT INTO parts VALUES (1, '1999-12-31'), (2, '2024-01-01');
  CREATE TABLE isam (a INT, b VARCHAR(20)) ENGINE=MyISAM; INSERT INTO isam VALUES (1, 'same'), (1, 'same');
  CREATE VIEW z_base AS SELECT id, t FROM \`tä\`\`ble\` WHERE t <> 'ß';
  CREATE VIEW a_top AS SELECT COUNT(*) AS \`nü\` FROM z_base;
  CREATE TRIGGER doubling BEFORE INSERT ON isam FOR EACH ROW SET NEW.a = NEW.a * 2;
  CREATE PROCEDURE \`prü\`() COMMENT 'ö' SELECT 'ä';
  CREATE FUNCTION f(a INT) RETURNS VARCHAR(20) CHARSET utf8mb4 DETERMINISTIC RETURN CONCAT('ä', a);
  CREATE EVENT later ON SCHEDULE EVERY 1 DAY STARTS '2030-01-01 00:00:00' COMMENT 'ü' DO SELECT 'ä';`;
const database = 'nä me';

describeWith(
  { mariadb: mariadbMissing, 'mariadb-versions': mariadbVersionsMissing },
  'MariaDB 10.2, 10.11 and 11.4',
  () => {
    let folder: string;
    const servers = new Map<Version, MariadbServer>();
    const server = (version: Version): MariadbServer => {
      const found = servers.get(version);
      if (found === undefined) throw new Error(`${version} was not started.`);
      return found;
    };
    const engine = (tools: Version) => {
      const home = homes[tools];
      return createMariadbEngine(home === undefined ? {} : { tools: { folders: [join(home, 'bin')] } });
    };
    const context = (): EngineContext => ({ workFolder: folder, signal: new AbortController().signal });

    /** The dumps by version of the source and of the tools. */
    const dumps = new Map<string, TakenDump>();
    const originals = new Map<Version, Readonly<Record<string, string>>>();

    beforeAll(async () => {
      folder = await mkdtemp(join(tmpdir(), 'stowage-versions-'));
      for (const version of versions) {
        const options = version === '10.11' ? ['--plugin-load-add=auth_ed25519'] : [];
        servers.set(version, await startMariadb(options, homes[version]));
      }
      for (const source of versions) {
        await server(source).sql(sample);
        originals.set(source, await fingerprint(server(source), [database]));
        for (const tools of versions) {
          const connection = server(source).connection({ databases: [database] });
          dumps.set(`${source} ${tools}`, await takeDump(engine(tools), connection, context()));
        }
      }
    });
    beforeEach(async () => {
      for (const version of versions) await server(version).sql(`DROP DATABASE IF EXISTS \`${database}\``);
    });
    afterAll(async () => {
      await Promise.all([...servers.values()].map((one) => one.stop()));
      await rm(folder, { recursive: true, force: true });
    });

    const all = versions.flatMap((source) =>
      versions.flatMap((tools) => versions.map((target): [Version, Version, Version] => [source, tools, target])),
    );
    const combinations = all.filter(([source, tools, target]) => tools === source || tools === target);

    test.each(combinations)(
      'restore a database of %s, dumped and restored by the tools of %s, unchanged in %s',
      async (source, tools, target) => {
        const dump = dumps.get(`${source} ${tools}`);
        if (dump === undefined) throw new Error('It was not dumped.');
        expect(dump.failure).toBeNull();
        await restoreDump(engine(tools), server(target).connection(), dump, context());
        // The same statements created it on that server, because a server shows definitions in the format of its
        // version.
        const restored = await fingerprint(server(target), [database]);
        expect(restored).toEqual(originals.get(target));
      },
    );

    test.each(versions.flatMap((source) => versions.map((tools): [Version, Version] => [source, tools])))(
      'dump each view and program of a server of %s with the tools of %s',
      (source, tools) => {
        const dump = dumps.get(`${source} ${tools}`);
        const objects = Object.entries(dump?.report.inventory.databases[0]?.objects ?? {}).flatMap(([kind, names]) =>
          dump?.objects?.kinds.includes(kind) === true ? names.map((name) => ({ database, kind, name })) : [],
        );
        expect(objects).toHaveLength(6);
        // A table may be a sequence, because older tools dump a sequence as a table.
        const found = dump?.objects?.found.filter(({ kind }) => kind !== 'sequences');
        expect(new Set(found)).toEqual(new Set(objects));
      },
    );

    const mixed = all.filter(([source, dumper, restorer]) => source === '10.11' && dumper !== restorer);
    test.each(mixed)(
      'restore a database of %s that the tools of %s dumped, with the tools of %s',
      async (source, dumper, restorer) => {
        const dump = dumps.get(`${source} ${dumper}`);
        if (dump === undefined) throw new Error('It was not dumped.');
        await restoreDump(engine(restorer), server('10.11').connection(), dump, context());
        expect(await fingerprint(server('10.11'), [database])).toEqual(originals.get('10.11'));
      },
    );

    test.each(
      (['10.2', '11.4'] as const).flatMap((source) => versions.map((tools): [Version, Version] => [source, tools])),
    )('restore negative zeros of %s, dumped and restored by the tools of %s', async (source, tools) => {
      // Later servers have no negative zeros.
      const typed =
        source === '10.2'
          ? ''
          : 'CREATE TABLE typed (u UUID, d DOUBLE, v TEXT) CHARACTER SET cp1251; CREATE TABLE mixed (u UUID, d DOUBLE, v TEXT CHARACTER SET cp1251, w TEXT);';
      await server(source).sql(`CREATE OR REPLACE DATABASE zeros; USE zeros; ${typed}
        CREATE TABLE t (d DOUBLE, f FLOAT, m DOUBLE(9,2), v VARCHAR(9), g DOUBLE AS (-d) STORED);
        INSERT INTO t (d, f, m, v) VALUES (CEIL(-0.5e0), -0e0, -0e0, ',-0,'), (0, 0, 0, '''(-0)'), (-0.5, -1e-300, -1, NULL), (-0e0, NULL, -0e0, '');
        CREATE TABLE defaults (d DOUBLE NOT NULL DEFAULT -0e0, f FLOAT DEFAULT -0e0, v VARCHAR(9) DEFAULT -0e0); INSERT INTO defaults VALUES ();
        ${typed && "INSERT INTO typed VALUES (UUID(), -0e0, 'Ж'), (NULL, 0, ',-0,'); INSERT INTO mixed VALUES (UUID(), -0e0, 'Ж', ',-0,'); CREATE TABLE versioned (d DOUBLE DEFAULT -0e0) WITH SYSTEM VERSIONING; INSERT INTO versioned VALUES (-0e0), (0);"}`);
      const before = await fingerprint(server(source), ['zeros']);
      expect(await server(source).sql('SELECT d, f, g FROM zeros.t LIMIT 1')).toBe('-0\t-0\t0\n');
      const taken = await takeDump(engine(tools), server(source).connection({ databases: ['zeros'] }), context());
      expect(taken.failure).toBeNull();
      await server(source).sql('DROP DATABASE zeros');
      await restoreDump(engine(tools), server(source).connection(), taken, context());
      expect(await fingerprint(server(source), ['zeros'])).toEqual(before);
    });

    test.each(versions)('have tools (%s) that log in with ed25519, wherever they are installed', async (tools) => {
      await server('10.11').sql(`CREATE DATABASE \`${database}\`;
        CREATE OR REPLACE USER ed IDENTIFIED VIA ed25519 USING PASSWORD('a secret'); GRANT ALL ON *.* TO ed;`);
      const account = { username: 'ed', password: new Secret('a secret'), databases: [database] };
      const connection = server('10.11').connection(account);
      const taken = await takeDump(engine(tools), connection, context());
      expect(taken.failure).toBeNull();
      await server('10.11').sql(`DROP DATABASE \`${database}\``);
      await restoreDump(engine(tools), connection, taken, context());
    });

    test('refuse a dump by a tool without support for sequences, and the error names the sequences', async () => {
      await server('11.4').sql('CREATE OR REPLACE DATABASE counting; CREATE SEQUENCE counting.s;');
      const connection = server('11.4').connection({ databases: ['counting'] });
      await expect(preflightOf(engine('10.2'), connection, context())).rejects.toMatchObject({
        ...{ code: 'TOOL_VERSION', retriable: false },
        message: expect.stringMatching(/^mariadb-dump 10\.2\.11 .*: counting\.s\.$/),
        help: expect.stringMatching(/mariadb-client/),
      });
      await server('11.4').sql('DROP SEQUENCE counting.s; CREATE TABLE counting.t (a INT);');
      await expect(preflightOf(engine('10.2'), connection, context())).resolves.toMatchObject({ parts: [{}] });
    });

    test.each<[string, string, Version, Version, RegExp]>([
      [
        'a collation',
        'CREATE TABLE t (a VARCHAR(9) CHARACTER SET utf8mb4 COLLATE utf8mb4_uca1400_ai_ci)',
        '11.4',
        '10.2',
        /uca1400/,
      ],
      ['a type', 'CREATE TABLE t (a UUID)', '11.4', '10.2', /uuid/i],
      ['system versioning', 'CREATE TABLE t (a INT) WITH SYSTEM VERSIONING', '10.11', '10.2', /./],
      ['a sequence', 'CREATE SEQUENCE s', '11.4', '10.2', /./],
    ])('refuse a restore beforehand if the target does not support %s', async (_what, sql, source, target, named) => {
      await server(source).sql(`CREATE OR REPLACE DATABASE newer; USE newer; ${sql};`);
      const report = await preflightOf(engine(source), server(source).connection({ databases: ['newer'] }), context());
      await expect(
        engine(target).restorePreflight(server(target).connection(), report, context()),
      ).rejects.toMatchObject({ message: expect.stringMatching(named) });
    });
  },
);
