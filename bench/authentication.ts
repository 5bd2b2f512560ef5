/**
 * Measures what the sign-in with an access token, a session and a JWT costs a request, compared with the installation-level token,
 * and the time after which a revoked token receives no more events at another replica, which is a process of its own. The kinds of requests take turns, so that a busy machine
 * affects all of them in the same way. It also compares the answer for an object that is not visible with that for an object that
 * does not exist.
 */
import 'reflect-metadata';
import { randomUUID } from 'node:crypto';
import { fillWithBackupJobs } from '../test/fixtures/manyBackupJobs.js';
import { providerConfig } from '../test/fixtures/api/providerApi.js';
import { WebBrowser } from '../test/fixtures/api/webBrowser.js';
import { startOidcProvider } from '../test/fixtures/servers/oidcProvider.js';
import { startPostgres } from '../test/fixtures/servers/postgres.js';
import { createDataSource } from '../ormconfig.js';
import { deliveredAfterRevocation } from './authentication/deliveredAfterRevocation.js';
import { startReplica } from './authentication/replica.js';
import { brief } from './brief.js';
import { graphqlCaller, type GraphqlCall } from './graphqlCaller.js';
import { startRealApi } from './realApi.js';

if (process.argv.includes('--help')) {
  console.log(`node --import @swc-node/register/esm-register bench/authentication.ts [--brief]

Exits with 1 if a kind of sign-in costs more than 1.2 times of a page of 50 jobs, if the medians of two answers that must not
differ do so by more than 5 %, or if a revoked token receives events for more than 5 s.`);
  process.exit(0);
}

const rounds = brief ? 20 : 1_000;
const audience = 'bench';
const page = `query ($projectId: ID) { backupJobs(projectId: $projectId, first: 50) { nodes { id status trigger queuedAt
  startedAt finishedAt storedSize service { id name } plan { id name } fileEndpoint { id name } } } }`;
const postgres = await startPostgres();
const provider = await startOidcProvider();
try {
  const owner = await createDataSource({ url: postgres.ownerUrl, poolSize: 2 }).initialize();
  await fillWithBackupJobs(owner, { projects: 2, services: 20, jobs: brief ? 500 : 20_000 });
  const [project, other] = await owner.query<{ id: string }[]>('SELECT id FROM projects ORDER BY name');
  const [job] = await owner.query<{ id: string }[]>('SELECT id FROM backup_jobs WHERE project_id = $1 LIMIT 1', [
    other?.id,
  ]);
  await owner.destroy();
  const api = await startRealApi(postgres, { provider: providerConfig(provider.issuer, { OIDC_AUDIENCE: audience }) });
  await provider.serve(api.url);
  const replica = await startReplica(postgres, api.masterKey);
  const projectId = project?.id ?? '';
  const { token, id } = await createToken(api.call, projectId);
  const withToken = graphqlCaller(`${api.url}/graphql`, { authorization: `Bearer ${token}` });

  const withSession = graphqlCaller(`${api.url}/graphql`, await sessionHeaders(api.call, api.url));
  const withJwt = graphqlCaller(`${api.url}/graphql`, {
    authorization: `Bearer ${await jwtOfMember(api.call, projectId)}`,
  });

  const pages = await medians({
    installation: () => api.call(page, { projectId }),
    token: () => withToken(page, { projectId }),
    session: () => withSession(page, { projectId }),
    jwt: () => withJwt(page, { projectId }),
  });
  const lookup = 'query ($id: ID!) { backupJob(id: $id) { id message attempts { number } } }';
  const lookups = await medians({
    unseen: () => withToken(lookup, { id: job?.id ?? '' }),
    missing: () => withToken(lookup, { id: randomUUID() }),
  });
  const after = await deliveredAfterRevocation(replica.url, token, {
    cause: () => createToken(api.call, projectId),
    revoke: () => api.call('mutation ($id: ID!) { revokeAccessToken(id: $id) { id } }', { id }),
  });
  await replica.stop();
  await api.stop();
  const { installation, ...others } = pages;
  const costs = Object.entries(others).map(([kind, ms]) => ({ kind, ms, ratio: ms / installation }));
  const difference = Math.abs(lookups.unseen / lookups.missing - 1) * 100;
  console.table([
    { what: 'page of 50 jobs, installation-level token, ms', figure: pages.installation.toFixed(2) },
    ...costs.flatMap(({ kind, ms, ratio }) => [
      { what: `page of 50 jobs, ${kind}, ms`, figure: ms.toFixed(2) },
      { what: `ratio of ${kind} (promised: 1.2)`, figure: ratio.toFixed(2) },
    ]),
    { what: 'job of another project, ms', figure: lookups.unseen.toFixed(2) },
    { what: 'job that does not exist, ms', figure: lookups.missing.toFixed(2) },
    { what: 'difference in % (promised: 5)', figure: difference.toFixed(1) },
    { what: 'events at another replica before the revocation', figure: String(after.eventsBefore) },
    { what: 'revoked -> last event at another replica, ms (promised: 5000)', figure: after.lastEventMs.toFixed(0) },
    { what: 'revoked -> socket of another replica closed, ms', figure: after.closedMs.toFixed(0) },
  ]);
  const isTooSlow = costs.some(({ ratio }) => ratio > 1.2) || difference > 5 || after.lastEventMs > 5_000;
  if (!brief && isTooSlow) process.exitCode = 1;
} finally {
  await provider.stop();
  await postgres.stop();
}

async function createToken(call: GraphqlCall, projectId: string): Promise<{ token: string; id: string }> {
  const { createAccessToken } = await call<{ createAccessToken: { token: string; accessToken: { id: string } } }>(
    'mutation ($input: AccessTokenInput!) { createAccessToken(input: $input) { token accessToken { id } } }',
    { input: { projectId, name: 'bench', role: 'VIEWER' } },
  );
  return { token: createAccessToken.token, id: createAccessToken.accessToken.id };
}

/** What a browser sends after a sign-in with a one-time link. */
async function sessionHeaders(call: GraphqlCall, url: string): Promise<Readonly<Record<string, string>>> {
  const { createSignInLink } = await call<{ createSignInLink: { url: string } }>(
    'mutation { createSignInLink { url } }',
  );
  const browser = new WebBrowser(url);
  await browser.postForm('/sign-in/link', { code: createSignInLink.url.split('#')[1] ?? '' });
  return { cookie: browser.cookieHeader, origin: browser.origin };
}

/** A token of the provider of a person who is a VIEWER of the project. */
async function jwtOfMember(call: GraphqlCall, projectId: string): Promise<string> {
  const { issuer: iss } = provider;
  await call(
    `mutation ($projectId: ID!, $issuer: String!, $sub: String!) {
      setMember(projectId: $projectId, issuer: $issuer, subject: $sub, role: VIEWER) { id } }`,
    { projectId, issuer: iss, sub: 'ada' },
  );
  const iat = Math.floor(Date.now() / 1000);
  return provider.sign({ iss, sub: 'ada', aud: audience, iat, exp: iat + 3_600 });
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
