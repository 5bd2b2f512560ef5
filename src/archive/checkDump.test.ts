import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { archiveBench, heldAfterFirstBytes, type ArchiveBench } from '../../test/fixtures/archive.js';
import { faultyTool } from '../../test/fixtures/faultyTools.js';
import { describeWith } from '../../test/fixtures/requirements.js';
import { mariadbMissing, startMariadb, type MariadbServer } from '../../test/fixtures/servers/mariadb.js';
import type { Engine } from '../engines/engine.js';
import { createMariadbEngine } from '../engines/mariadb/mariadbEngine.js';
import { StowageError } from '../errors.js';
import { Secret } from '../secret.js';
import type { TakeBackup, TakenBackup } from './archive.js';
import { readBackupDocument } from './backupDocument.js';
import { countingAfter } from './checkDump.js';
import { takeBackup } from './takeBackup.js';

describe('The count after a dump', () => {
  test("takes a small part of the dump's time, within limits", () => {
    expect([1_000, 200_000, 86_400_000].map(countingAfter)).toEqual([3_000, 10_000, 60_000]);
  });
});

describeWith({ mariadb: mariadbMissing }, 'A dump during which the password changes', () => {
  let server: MariadbServer;
  let bench: ArchiveBench;

  beforeAll(async () => {
    [server, bench] = await Promise.all([startMariadb(), archiveBench()]);
    // More bytes than all buffers on the way hold, so that the tool runs until the storage continues to read.
    await server.sql(`CREATE DATABASE safe; USE safe; CREATE TABLE noise (id INT PRIMARY KEY, b BLOB);
      INSERT INTO noise SELECT seq, RANDOM_BYTES(1024) FROM seq_1_to_20000;
      CREATE TABLE crates (id INT PRIMARY KEY); INSERT INTO crates SELECT seq FROM seq_1_to_40;
      CREATE VIEW all_crates AS SELECT * FROM crates;`);
  });
  afterAll(async () => {
    await Promise.all([server.stop(), bench.remove()]);
  });

  let users = 0;
  /**
   * A separate account gets the password 'new' while the dump tool runs. `filter` is a program that the tool's output
   * passes.
   */
  async function backup(overrides: Partial<TakeBackup>, filter = 'cat'): Promise<TakenBackup> {
    const user = `changing${(users += 1)}`;
    await server.sql(`CREATE USER ${user}@'%' IDENTIFIED BY 'old'; GRANT ALL ON *.* TO ${user}@'%';`);
    const connection = { ...server.connection({ databases: ['safe'] }), username: user, password: new Secret('old') };
    const tools = await faultyTool('mariadb-dump', `"$real" "$@" | ${filter}`, bench.folder);
    const held = heldAfterFirstBytes(bench.storage);
    const stored = ['old', 'new'].map((password) => ({ ...connection, password: new Secret(password) }));
    const input = await bench.backup(createMariadbEngine({ tools: { folders: [tools] } }), connection, {
      storage: held.storage,
      connectionNow: () =>
        Promise.resolve(stored.length > 1 ? (stored.shift() ?? connection) : (stored[0] ?? connection)),
      ...overrides,
    });
    const attempt = takeBackup(input);
    await Promise.race([held.holding, attempt]);
    await server.sql(`ALTER USER ${user}@'%' IDENTIFIED BY 'new'`);
    held.release();
    const taken = await attempt;
    expect(await readBackupDocument(bench.storage, input.folder)).toMatchObject({ warnings: taken.warnings });
    return taken;
  }

  const notAskedAgain = expect.stringMatching(/^The server could not be queried again after the dump/);
  const neverStored = { askAgainMs: 0 };

  test('is a backup, compared with the server, if the new password is stored in time', async () => {
    const { warnings, inventory } = await backup({});
    expect(warnings).toEqual(['Users and their grants are not part of this backup.']);
    expect(inventory.databases[0]?.tables).toMatchObject([
      { name: 'crates', rows: 40, rowsEstimated: false },
      { name: 'noise', rows: 20_000, rowsEstimated: false },
    ]);
  });

  test('is a backup with a warning if the password is not stored, and keeps everything that was counted during the dump', async () => {
    const { warnings, inventory } = await backup(neverStored);
    expect(warnings).toContainEqual(notAskedAgain);
    expect(inventory.databases[0]).toMatchObject({
      tables: [{ rows: 40 }, { rows: 20_000 }],
      objects: { views: ['all_crates'] },
    });
  });

  test.each([
    ['rows', `sed '/^(7),/d'`, 'safe.crates (39 rows of 40)'],
    ['a view', `sed '/CREATE ALGORITHM/,/;$/d'`, 'views safe.all_crates (not in it)'],
  ])('is retried if the password is not stored and the dump seems to lack %s', async (_what, filter, named) => {
    await expect(backup(neverStored, filter)).rejects.toMatchObject({
      ...{ code: 'SERVICE_AUTH', retriable: true },
      message: expect.stringContaining(`Without this answer it is unknown whether the dump is complete: ${named}.`),
    });
  });

  describe('is a backup although the server is busy afterwards,', () => {
    /** The first queries after the dump wait too long for a lock of another session. */
    async function busyFor(questions: number, askAgainMs: number): Promise<TakenBackup> {
      const engine = createMariadbEngine();
      let left = questions;
      const busy = new StowageError('SERVICE_BUSY', 'A query of the server waited too long for a lock.');
      const busyEngine: Engine = {
        ...engine,
        inventory: (connection, context) =>
          (left -= 1) < 0 ? engine.inventory(connection, context) : Promise.reject(busy),
      };
      const connection = server.connection({ databases: ['safe'] });
      return takeBackup(await bench.backup(busyEngine, connection, { askAgainMs }));
    }

    test('compared with the server if it answers in time', async () => {
      const { warnings } = await busyFor(2, 20_000);
      expect(warnings).toEqual(['Users and their grants are not part of this backup.']);
    });

    test('with a warning if it does not', async () => {
      const { warnings } = await busyFor(1_000, 600);
      expect(warnings).toContainEqual(notAskedAgain);
      expect(warnings.join()).toContain('waited too long for a lock');
    });
  });

  test('warns of a table for which counting had no time, and does not count it after the dump', async () => {
    const engine = createMariadbEngine();
    const noise = { database: 'safe', name: 'noise' };
    const counting = { end: () => Promise.resolve({ tables: [], late: [noise] }) };
    const recounted: string[] = [];
    const lateEngine: Engine = {
      ...engine,
      prepareDump: async (connection, context) => {
        const prepared = await engine.prepareDump(connection, context);
        const dump: typeof prepared.dump = async (part, dumpContext) => {
          const running = await prepared.dump(part, dumpContext);
          await running.counting?.end(0);
          return { ...running, counting };
        };
        return { ...prepared, dump };
      },
      recount: (connection, tables, ...rest) => {
        recounted.push(...tables.map(({ name }) => name));
        return engine.recount(connection, tables, ...rest);
      },
    };
    const { warnings } = await takeBackup(
      await bench.backup(lateEngine, server.connection({ databases: ['safe'] }), {}),
    );
    expect(recounted).toEqual(['crates']);
    expect(warnings.filter((warning) => warning.includes('could not count'))).toEqual([
      'The server could not count the rows of these tables in time to compare them with the dump: safe.noise.',
    ]);
  });
});
