import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Registry } from 'prom-client';
import type { ServeConfig } from '../config.js';
import type { Log } from '../log.js';
import { withPatience } from '../postgres/patience.js';
import { followAccess } from '../projects/access/followAccess.js';
import { accessTokenSignIn } from '../projects/access/accessTokenSignIn.js';
import { firstOf } from '../server/authenticate.js';
import { noProxies } from '../server/client/trustedProxies.js';
import { SignInChanges } from '../server/signInChanges.js';
import { createServer } from '../server/createServer.js';
import { adminTokens } from './adminTokens.js';
import { composeApi } from './api.js';
import { workerMetrics } from '../workerRegistry/workerMetrics.js';
import { auditExport } from '../signIn/audit/auditExport.js';
import { auditReportsOf } from '../signIn/audit/auditReportsOf.js';
import { createAuditTrail } from '../signIn/audit/auditTrail.js';
import type { Closing } from './closing.js';
import { openSignInConnections } from './database.js';
import { registerInstallationFigures } from './installationFigures.js';
import type { Shared } from './shared.js';
import { openSignIn } from './openSignIn.js';

export type ApiRoleConfig = Pick<
  ServeConfig,
  'adminToken' | 'databaseUrl' | 'host' | 'minIntervalMs' | 'port' | 'publicUrl'
> &
  Partial<
    Pick<
      ServeConfig,
      | 'adminTokenFile'
      | 'clientLimits'
      | 'databasePatienceMs'
      | 'auditRetentionMs'
      | 'masterKeys'
      | 'maxTimeoutMs'
      | 'metricsToken'
      | 'provider'
      | 'sessions'
      | 'trustedProxies'
    >
  >;

const yearMs = 365 * 86_400_000;

/** Serves HTTP and WebSocket until `closing` closes it. Returns the actual address. */
export async function startApi(shared: Shared, config: ApiRoleConfig, log: Log, closing: Closing): Promise<string> {
  const stopping = new AbortController();
  const audit = createAuditTrail(shared.dataSource, config.auditRetentionMs ?? yearMs, log);
  const schema = composeApi({
    ...shared,
    minIntervalMs: config.minIntervalMs,
    maxTimeoutMs: config.maxTimeoutMs ?? null,
    stopping: stopping.signal,
    audit,
    publicUrl: () => config.publicUrl ?? server.url,
  });
  registerInstallationFigures(shared, log);
  workerMetrics(shared.installationRegistry, shared.workers);
  const { sessions } = config;
  const signInChanges = new SignInChanges();
  const dataSource = await openSignInConnections(config.databaseUrl, 'stowage sign-in', closing);
  const signInTools = { ...shared, dataSource };
  const browsers =
    sessions && openSignIn(signInTools, { ...config, audit, signInChanges, limits: sessions }, log, closing);
  const endFollowing = followAccess(shared.feed, signInChanges);
  const server = await createServer({
    schema,
    signInChanges,
    now: shared.now,
    reports: auditReportsOf(audit),
    signedInPages: (guards) => auditExport(audit, guards),
    trustedProxies: config.trustedProxies ?? noProxies,
    authenticate: firstOf(
      accessTokenSignIn(signInTools),
      adminTokens(config, { signInChanges, log, closing }),
      ...(browsers === undefined ? [] : [browsers.authenticate]),
    ),
    ...(browsers === undefined ? {} : { browsers }),
    host: config.host,
    port: config.port,
    log,
    registry: new Registry(),
    installationRegistry: shared.installationRegistry,
    metricsToken: config.metricsToken ?? null,
    readiness: {
      postgresql: () => shared.dataSource.query('SELECT 1'),
      scheduleStore: () => shared.alarmClock.ping(),
    },
    playgroundFolder: playgroundFolder(),
    ...(config.clientLimits === undefined ? {} : { limits: config.clientLimits }),
    ...patienceOf(config),
  });
  closing.add('API', async () => {
    endFollowing();
    await server.close();
  });
  closing.add('work that waits for the network', () => {
    stopping.abort();
    return Promise.resolve();
  });
  await server.listen();
  log.info(`The API listens at ${server.url}/graphql.`);
  return server.url;
}

/** The limit for the time that a request waits for the database, if there is one. */
function patienceOf({ databasePatienceMs: ms }: ApiRoleConfig) {
  return ms === undefined
    ? {}
    : { patiently: <T>(work: () => T, viewerKey?: string): T => withPatience(ms, work, viewerKey) };
}

/** The folder dist/playground, for dist/src/composition and for src/composition. */
function playgroundFolder(): string {
  const places = ['../../playground', '../../dist/playground'].map((place) =>
    fileURLToPath(new URL(place, import.meta.url)),
  );
  return places.find((place) => existsSync(place)) ?? places.at(-1) ?? '';
}
