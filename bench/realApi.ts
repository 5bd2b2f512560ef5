import { randomBytes } from 'node:crypto';
import { startApi } from '../src/composition/apiRole.js';
import { Closing } from '../src/composition/closing.js';
import { openShared, type Shared } from '../src/composition/shared.js';
import type { ProviderConfig } from '../src/config.js';
import { openLog } from '../src/log.js';
import { Secret } from '../src/secret.js';
import { parseAllowedTargets } from '../src/storage/allowedTargets.js';
import type { TestDatabase } from '../test/fixtures/servers/postgres.js';
import { graphqlCaller, type GraphqlCall } from './graphqlCaller.js';

export type RealApiOptions = {
  /** Where people sign in. Default: only with one-time links. */
  readonly provider?: ProviderConfig;
  /** The master key of the installation. Default: a new one. */
  readonly masterKey?: string;
};

/** The API as `stowage serve` composes it, on a free port, in this process. */
export type RealApi = {
  /** `http://host:port` */
  readonly url: string;
  readonly shared: Shared;
  readonly masterKey: string;
  readonly call: GraphqlCall;
  stop(): Promise<void>;
};

export async function startRealApi(
  database: Pick<TestDatabase, 'appUrl' | 'ownerUrl'>,
  { provider, masterKey = randomBytes(32).toString('base64') }: RealApiOptions = {},
): Promise<RealApi> {
  const log = openLog('json', 'error');
  const closing = new Closing(log);
  const adminToken = randomBytes(32).toString('hex');
  const shared = await openShared(
    {
      role: 'serve',
      databaseUrl: new Secret(database.appUrl),
      migrationDatabaseUrl: new Secret(database.ownerUrl),
      scheduleStore: { kind: 'postgres' },
      masterKeys: [new Secret(masterKey)],
      allowedTargets: parseAllowedTargets('0.0.0.0/0'),
      filesystemRoot: null,
    },
    log,
    closing,
  );
  const url = await startApi(
    shared,
    {
      adminToken: new Secret(adminToken),
      databaseUrl: new Secret(database.appUrl),
      host: '127.0.0.1',
      minIntervalMs: 60_000,
      port: 0,
      publicUrl: null,
      masterKeys: [new Secret(masterKey)],
      sessions: { idleMs: 3_600_000, lifetimeMs: 7_200_000 },
      ...(provider === undefined ? {} : { provider }),
    },
    log,
    closing,
  );
  return {
    url,
    shared,
    masterKey,
    call: graphqlCaller(`${url}/graphql`, { authorization: `Bearer ${adminToken}` }),
    stop: () => closing.close(),
  };
}
