import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Closing } from '../../src/composition/closing.js';
import { openStores, type Stores } from '../../src/composition/stores.js';
import { openLog } from '../../src/log.js';
import { Secret } from '../../src/secret.js';
import { buildProgram } from '../../test/fixtures/processes/builtProgram.js';
import { GraphqlUser } from '../../test/fixtures/api/graphqlUser.js';
import { startMongo } from '../../test/fixtures/servers/mongo.js';
import { startPostgres } from '../../test/fixtures/servers/postgres.js';
import { startApi } from '../../test/fixtures/processes/stowageProcess.js';
import type { BenchWorkerSettings } from './benchWorkerProcess.js';

export type StoreKind = 'mongodb' | 'postgresql';

/** One installation: databases, a folder for backups, and the API (the built program) as a separate process. */
export type BenchGround = Pick<Stores, 'store' | 'vault' | 'dataSource'> & {
  readonly projectId: string;
  readonly fileEndpointId: string;
  readonly workerSettings: Omit<BenchWorkerSettings, 'concurrency'>;
  /** The URL where Agenda alone keeps its documents: an empty database on the same server. */
  readonly bareUrl: string;
};

/** Servers that all installations of a bench use. */
export async function startGround(closing: Closing, kinds: readonly string[]) {
  const program = await buildProgram();
  closing.add('program', () => program.remove());
  const postgres = await startPostgres();
  closing.add('PostgreSQL', () => postgres.stop());
  const mongo = kinds.includes('mongodb') ? await startMongo() : undefined;
  closing.add('MongoDB', async () => mongo?.stop());
  return {
    mongoKind: mongo?.kind ?? 'no MongoDB',
    async install(kind: string, own: Closing): Promise<BenchGround> {
      const root = await mkdtemp(join(tmpdir(), 'stowage-bench-'));
      own.add('folder', () => rm(root, { recursive: true, force: true }));
      await mkdir(join(root, 'backups'));
      const { appUrl, ownerUrl } = await postgres.createDatabase();
      const masterKey = randomBytes(32).toString('base64');
      const adminToken = randomBytes(32).toString('hex');
      const mongoUrl = kind === 'mongodb' && mongo !== undefined ? mongo.newDatabaseUrl() : null;
      const bareUrl = mongo !== undefined && mongoUrl !== null ? mongo.newDatabaseUrl() : undefined;
      const api = await startApi(program.main, {
        DATABASE_URL: appUrl,
        MIGRATION_DATABASE_URL: ownerUrl,
        SCHEDULE_STORE_URL: mongoUrl ?? 'postgres',
        STOWAGE_MASTER_KEY: masterKey,
        STOWAGE_ADMIN_TOKEN: adminToken,
        STOWAGE_FILESYSTEM_ROOT: root,
        STOWAGE_ALLOWED_TARGETS: 'default,loopback',
      });
      own.add('API', () => api.terminate());
      const user = new GraphqlUser(api.url, adminToken);
      const { made: project } = await user.execute<{ made: { id: string } }>(
        'mutation { made: createProject(name: "bench") { id } }',
      );
      const { made: endpoint } = await user.execute<{ made: { id: string } }>(
        'mutation ($input: FileEndpointInput!) { made: createFileEndpoint(input: $input) { id } }',
        { input: { projectId: project.id, name: 'bench', settings: { filesystem: { path: 'backups' } } } },
      );
      await user.close();
      const urls = { databaseUrl: new Secret(appUrl), migrationDatabaseUrl: new Secret(ownerUrl) };
      const stores = await openStores(
        { ...urls, masterKeys: [new Secret(masterKey)], role: 'bench' },
        openLog('json', 'error'),
        own,
      );
      return {
        ...stores,
        projectId: project.id,
        fileEndpointId: endpoint.id,
        workerSettings: { appUrl, ownerUrl, masterKey, mongoUrl, root },
        bareUrl: bareUrl ?? (await postgres.createEmptyDatabase()).ownerUrl,
      };
    },
  };
}
