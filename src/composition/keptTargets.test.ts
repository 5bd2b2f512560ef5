import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { randomBytes, randomUUID } from 'node:crypto';
import type { DataSource } from 'typeorm';
import { startWholeApi } from '../../test/fixtures/api/wholeApi.js';
import { describeWith } from '../../test/fixtures/requirements.js';
import {
  postgresMissing,
  startPostgres,
  type TestDatabase,
  type TestPostgres,
} from '../../test/fixtures/servers/postgres.js';
import { openLog } from '../log.js';
import { migrate } from '../postgres/migrate.js';
import { Secret } from '../secret.js';
import { parseAllowedTargets } from '../storage/allowedTargets.js';
import { Closing } from './closing.js';
import { privateTargets } from './privateTargets.js';
import { openShared } from './shared.js';

const masterKey = randomBytes(32).toString('base64');

describeWith({ postgresql: await postgresMissing() }, 'private networks', () => {
  let postgres: TestPostgres;
  let database: TestDatabase;
  let owner: DataSource;

  beforeAll(async () => {
    postgres = await startPostgres();
    database = await postgres.createDatabase();
    owner = await postgres.connect(database.ownerUrl);
    const api = await startWholeApi({ database, masterKeys: [masterKey], filesystemRoot: '/nonexistent' });
    const { data } = await api.post('mutation { createProject(name: "old") { id } }');
    const projectId = (data as { createProject: { id: string } }).createProject.id;
    for (const [name, host] of [
      ['inside', '10.1.2.3'],
      ['outside', '192.0.2.1'],
      ['unknown', 'db.invalid'],
    ]) {
      const input = { projectId, name, host, engine: 'MARIADB', port: 3306, username: 'a', password: 'b' };
      const answer = await api.post('mutation ($input: ServiceInput!) { registerService(input: $input) { id } }', {
        input,
      });
      expect(answer.errors).toEqual([]);
    }
    await owner.query(
      `INSERT INTO file_endpoints (id, project_id, name, settings, prefix, created_at, version)
       VALUES ($1, $2, 'store', '{"kind": "SWIFT", "authUrl": "http://[fd12::5]:5000/v3"}', '', now(), 1)`,
      [randomUUID(), projectId],
    );
    await api.stop();
  });
  afterAll(() => postgres.stop());

  /** Starts the shared resources of API and worker, with this setting. */
  async function started(spec: string) {
    const lines: string[] = [];
    const log = openLog('json', 'info', { write: (line) => void lines.push(line) });
    const closing = new Closing(log);
    const { allowedTargets } = await openShared(
      {
        role: 'worker',
        databaseUrl: new Secret(database.appUrl),
        migrationDatabaseUrl: new Secret(database.ownerUrl),
        scheduleStore: { kind: 'postgres' },
        masterKeys: [new Secret(masterKey)],
        allowedTargets: parseAllowedTargets(spec),
        filesystemRoot: null,
      },
      log,
      closing,
    );
    await closing.close();
    return {
      allowsPrivate: allowedTargets.allows('10.1.2.3'),
      warnings: lines.filter((line) => line.includes('private-targets')),
    };
  }

  async function command(refuse: boolean): Promise<readonly string[]> {
    const lines: string[] = [];
    await privateTargets(
      {
        ...{ role: 'private-targets', logLevel: 'info', allowedTargets: parseAllowedTargets('default') },
        ...{ databaseUrl: new Secret(database.appUrl), migrationDatabaseUrl: new Secret(database.ownerUrl) },
      },
      openLog('json', 'info', { write: () => undefined }),
      { refuse, print: (line) => lines.push(line) },
    );
    return lines;
  }

  const hasColumn = async () => {
    const columns = await owner.query<unknown[]>(
      "SELECT FROM information_schema.columns WHERE table_name = 'installation' AND column_name = 'default_has_private'",
    );
    return columns.length > 0;
  };

  test('are refused in a new installation', async () => {
    expect(await started('default')).toEqual({ allowsPrivate: false, warnings: [] });
    expect(await started('default,private')).toEqual({ allowsPrivate: true, warnings: [] });
  });

  test('stay allowed after an upgrade, are listed at each start and by the command, until the operator decides', async () => {
    // The database in the state of the previous version.
    while (await hasColumn()) await owner.undoLastMigration({ transaction: 'each' });
    await migrate(owner, 'stowage_app');
    const { allowsPrivate, warnings } = await started('default');
    expect(allowsPrivate).toBe(true);
    expect(warnings).toHaveLength(1);
    expect(JSON.parse(warnings[0] ?? '')).toMatchObject({
      count: 2,
      targets: [
        { kind: 'SERVICE', name: 'inside', host: '10.1.2.3' },
        { kind: 'FILE_ENDPOINT', name: 'store', host: 'fd12::5' },
      ],
    });
    expect((await started('default,private')).warnings).toEqual([]);
    expect(await command(false)).toEqual([
      expect.stringContaining('10.1.2.3'),
      expect.stringContaining('fd12::5'),
      expect.stringMatching(/: 2\.$/),
      expect.stringContaining('still allowed'),
    ]);
    expect((await started('default')).allowsPrivate).toBe(true);
    await command(true);
    expect(await started('default')).toEqual({ allowsPrivate: false, warnings: [] });
    expect((await started('10.1.0.0/16')).allowsPrivate).toBe(true);
  });
});
