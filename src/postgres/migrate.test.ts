import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { postgresMissing, startPostgres, type TestPostgres } from '../../test/fixtures/servers/postgres.js';
import { describeWith } from '../../test/fixtures/requirements.js';
import { installationId } from './installation.js';
import { migrate } from './migrate.js';

describeWith({ postgresql: await postgresMissing() }, 'migrations', () => {
  let postgres: TestPostgres;
  beforeAll(async () => (postgres = await startPostgres()));
  afterAll(() => postgres.stop());

  test('one of four processes that start at the same time migrates, and the others wait for it', async () => {
    const { ownerUrl, appUrl } = await postgres.createEmptyDatabase();
    const owners = await Promise.all(Array.from({ length: 4 }, () => postgres.connect(ownerUrl)));
    const migrated = await Promise.all(owners.map((owner) => migrate(owner, 'stowage_app')));
    const counts = migrated.map(({ ran }) => ran.length).sort((a, b) => a - b);
    expect(counts.slice(0, 3)).toEqual([0, 0, 0]);
    expect(counts[3]).toBe(owners[0]!.migrations.length);
    const app = await postgres.connect(appUrl);
    await expect(installationId(app)).resolves.toMatch(/^[0-9a-f-]{36}$/);
    const locks: unknown[] = await app.query(
      `SELECT FROM pg_locks JOIN pg_database ON pg_database.oid = pg_locks.database
       WHERE datname = current_database() AND locktype = 'advisory'`,
    );
    expect(locks).toEqual([]);
  });

  test('every migration can be undone and run again', async () => {
    const { ownerUrl } = await postgres.createEmptyDatabase();
    const owner = await postgres.connect(ownerUrl);
    const { ran } = await migrate(owner, 'stowage_app');
    for (const _ of ran) await owner.undoLastMigration({ transaction: 'each' });
    const left: unknown[] = await owner.query(
      `SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'schema_migrations'`,
    );
    expect(left).toEqual([]);
    await expect(migrate(owner, 'stowage_app')).resolves.toEqual({ ran });
  });

  test('a database that a newer version has migrated is refused and not changed', async () => {
    const { ownerUrl } = await postgres.createDatabase();
    const owner = await postgres.connect(ownerUrl);
    await owner.query(`INSERT INTO schema_migrations ("timestamp", name) VALUES (9999999999999, 'Tomorrow')`);
    await owner.query('REVOKE SELECT ON events FROM stowage_app');
    await expect(migrate(owner, 'stowage_app')).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      retriable: false,
      message: expect.stringContaining('its schema is 9999999999999'),
    });
    const granted: unknown = await owner.query("SELECT has_table_privilege('stowage_app', 'events', 'SELECT') AS yes");
    expect(granted).toEqual([{ yes: false }]);
  });

  test('if owner and program are the same role, the migration works without grants', async () => {
    const { ownerUrl } = await postgres.createEmptyDatabase();
    const owner = await postgres.connect(ownerUrl);
    await migrate(owner, 'stowage_owner');
    await expect(owner.query('DELETE FROM events')).rejects.toThrow('Events are never changed');
  });

  test('the command line of TypeORM has the same migrations', async () => {
    const { default: forCommandLine, createDataSource } = await import('../../ormconfig.js');
    const program = createDataSource({ url: undefined });
    expect(forCommandLine.options.migrations).toEqual(program.options.migrations);
    expect(forCommandLine.options.synchronize).toBe(false);
  });
});
