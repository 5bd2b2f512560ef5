import { randomBytes } from 'node:crypto';
import { startApi } from '../src/composition/apiRole.js';
import { Closing } from '../src/composition/closing.js';
import { openShared, type Shared } from '../src/composition/shared.js';
import { openLog } from '../src/log.js';
import { Secret } from '../src/secret.js';
import { parseAllowedTargets } from '../src/storage/allowedTargets.js';
import type { TestDatabase } from '../test/fixtures/postgres.js';

/** The API as `stowage serve` composes it, at a free port, in this process. */
export type RealApi = {
  readonly shared: Shared;
  readonly masterKey: string;
  /** Sends an operation over HTTP. Throws the first error. */
  call<Data>(query: string, variables?: Record<string, unknown>): Promise<Data>;
  stop(): Promise<void>;
};

export async function startRealApi(database: TestDatabase): Promise<RealApi> {
  const log = openLog('json', 'error');
  const closing = new Closing(log);
  const masterKey = randomBytes(32).toString('base64');
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
      allowedTargets: parseAllowedTargets('0.0.0.0/0'),
      host: '127.0.0.1',
      minIntervalMs: 60_000,
      port: 0,
      publicUrl: null,
      singleSignOn: null,
    },
    log,
    closing,
  );
  const headers = { 'content-type': 'application/json', authorization: `Bearer ${adminToken}` };
  return {
    shared,
    masterKey,
    async call<Data>(query: string, variables: Record<string, unknown> = {}): Promise<Data> {
      const answer = await fetch(`${url}/graphql`, {
        method: 'POST',
        headers,
        body: JSON.stringify({ query, variables }),
      });
      const { data, errors } = (await answer.json()) as { data: Data; errors?: readonly { message: string }[] };
      if (errors?.[0] !== undefined) throw new Error(`${errors[0].message} ${JSON.stringify(errors)}`);
      return data;
    },
    stop: () => closing.close(),
  };
}
