/**
 * Measures what the sign-in with an access token costs a request, compared with the installation-level token, and the time after
 * which a revoked token receives no more events at another replica. The kinds of requests take turns, so that a busy machine
 * affects all of them in the same way. It also compares the answer for an object that is not visible with that for an object that
 * does not exist.
 */
import { randomUUID } from 'node:crypto';
import { createClient } from 'graphql-ws';
import { WebSocket } from 'ws';
import { fillWithBackupJobs } from '../test/fixtures/manyBackupJobs.js';
import { startPostgres } from '../test/fixtures/servers/postgres.js';
import { createDataSource } from '../ormconfig.js';
import { brief } from './brief.js';
import { graphqlCaller, type GraphqlCall } from './graphqlCaller.js';
import { startRealApi } from './realApi.js';

if (process.argv.includes('--help')) {
  console.log(`node --import @swc-node/register/esm-register bench/authentication.ts [--brief]

Exits with 1 if an access token costs more than 1.2 times of a page of 50 jobs, if the medians of two answers that must not
differ do so by more than 5 %, or if a revoked token receives events for more than 5 s.`);
  process.exit(0);
}

const rounds = brief ? 20 : 1_000;
const page = `query ($projectId: ID) { backupJobs(projectId: $projectId, first: 50) { nodes { id status trigger queuedAt
  startedAt finishedAt storedSize service { id name } plan { id name } fileEndpoint { id name } } } }`;
const postgres = await startPostgres();
try {
  const owner = await createDataSource({ url: postgres.ownerUrl, poolSize: 2 }).initialize();
  await fillWithBackupJobs(owner, { projects: 2, services: 20, jobs: brief ? 500 : 20_000 });
  const [project, other] = await owner.query<{ id: string }[]>('SELECT id FROM projects ORDER BY name');
  const [job] = await owner.query<{ id: string }[]>('SELECT id FROM backup_jobs WHERE project_id = $1 LIMIT 1', [
    other?.id,
  ]);
  await owner.destroy();
  const [api, replica] = [await startRealApi(postgres), await startRealApi(postgres)];
  const projectId = project?.id ?? '';
  const { token, id } = await createToken(api.call, projectId);
  const withToken = graphqlCaller(`${api.url}/graphql`, { authorization: `Bearer ${token}` });

  const pages = await medians({
    installation: () => api.call(page, { projectId }),
    token: () => withToken(page, { projectId }),
  });
  const lookup = 'query ($id: ID!) { backupJob(id: $id) { id message attempts { number } } }';
  const lookups = await medians({
    unseen: () => withToken(lookup, { id: job?.id ?? '' }),
    missing: () => withToken(lookup, { id: randomUUID() }),
  });
  const revokedMs = await closedAfterRevocation(replica.url, token, () =>
    api.call('mutation ($id: ID!) { revokeAccessToken(id: $id) { id } }', { id }),
  );
  await replica.stop();
  await api.stop();
  const cost = pages.token / pages.installation;
  const difference = Math.abs(lookups.unseen / lookups.missing - 1) * 100;
  console.table([
    { what: 'page of 50 jobs, installation-level token, ms', figure: pages.installation.toFixed(2) },
    { what: 'page of 50 jobs, access token, ms', figure: pages.token.toFixed(2) },
    { what: 'ratio (promised: 1.2)', figure: cost.toFixed(2) },
    { what: 'job of another project, ms', figure: lookups.unseen.toFixed(2) },
    { what: 'job that does not exist, ms', figure: lookups.missing.toFixed(2) },
    { what: 'difference in % (promised: 5)', figure: difference.toFixed(1) },
    { what: 'revoked -> socket of another replica closed, ms (promised: 5000)', figure: revokedMs.toFixed(0) },
  ]);
  if (!brief && (cost > 1.2 || difference > 5 || revokedMs > 5_000)) process.exitCode = 1;
} finally {
  await postgres.stop();
}

async function createToken(call: GraphqlCall, projectId: string): Promise<{ token: string; id: string }> {
  const { createAccessToken } = await call<{ createAccessToken: { token: string; accessToken: { id: string } } }>(
    'mutation ($input: AccessTokenInput!) { createAccessToken(input: $input) { token accessToken { id } } }',
    { input: { projectId, name: 'bench', role: 'VIEWER' } },
  );
  return { token: createAccessToken.token, id: createAccessToken.accessToken.id };
}

/** The median time of each call in milliseconds. The calls take turns. */
async function medians<Name extends string>(
  calls: Readonly<Record<Name, () => Promise<unknown>>>,
): Promise<Readonly<Record<Name, number>>> {
  const named = Object.entries(calls) as [Name, () => Promise<unknown>][];
  const times = new Map<Name, number[]>(named.map(([name]) => [name, []]));
  for (let round = -Math.ceil(rounds / 10); round < rounds; round += 1) {
    // Neither of two calls always comes first.
    for (const [name, call] of round % 2 === 0 ? named : named.toReversed()) {
      const start = performance.now();
      await call();
      if (round >= 0) times.get(name)?.push(performance.now() - start);
    }
  }
  const median = (all: readonly number[]) => all.toSorted((one, two) => one - two)[Math.floor(all.length / 2)] ?? 0;
  return Object.fromEntries([...times].map(([name, all]) => [name, median(all)])) as Record<Name, number>;
}

/** The milliseconds from the answer of `revoke` until a socket with the token is closed. */
async function closedAfterRevocation(url: string, token: string, revoke: () => Promise<unknown>): Promise<number> {
  let opened: () => void = () => undefined;
  const isOpen = new Promise<void>((resolve) => (opened = resolve));
  const closed = new Promise<number>((resolve) => {
    // The client ends together with its socket.
    createClient({
      url: `${url.replace('http', 'ws')}/graphql`,
      webSocketImpl: WebSocket,
      lazy: false,
      retryAttempts: 0,
      connectionParams: { authorization: token },
      on: { connected: () => opened(), closed: () => resolve(performance.now()) },
      onNonLazyError: () => undefined,
    });
  });
  await isOpen;
  await revoke();
  const revokedAt = performance.now();
  return Math.max(0, (await closed) - revokedAt);
}
