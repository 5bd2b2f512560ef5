import { createServer as createHttpServer } from 'node:http';
import type { GraphQLSchema } from 'graphql';
import { apiApp, type PublicPages } from './apiApp.js';
import type { ErrorLog } from './apiError.js';
import { noReports, type AuditReports } from './auditReports.js';
import { identifyClient } from './client/clientOf.js';
import { noProxies, type TrustedProxies } from './client/trustedProxies.js';
import { RequestRates, type RateLimits } from './fairness/requestRates.js';
import { Shares } from './fairness/shares.js';
import { GracefulServer, type ApiServer } from './gracefulServer.js';
import { httpApi } from './httpApi.js';
import { answerErrors } from './http/answerErrors.js';
import { signedInOnly } from './http/signedInOnly.js';
import { serverMetrics } from './metrics.js';
import type { Patiently } from './patiently.js';
import { PendingConnections, type ConnectionLimits } from './pendingConnections.js';
import { SignedInConnections } from './signedInConnections.js';
import { SignInChanges } from './signInChanges.js';
import { createSignInFailures, type SignInFailuresOptions } from './signInFailures.js';
import { socketApi, type SocketLimits } from './socketApi.js';

export type ServerOptions = PublicPages & {
  /** Built by `buildApiSchema`. */
  readonly schema: GraphQLSchema;
  readonly host: string;
  /** 0: any free port; `url` contains it. */
  readonly port: number;
  readonly log: ErrorLog & { warn(fields: object, message: string): void };
  readonly limits?: Partial<ServerLimits>;
  /** How failed sign-ins are slowed down. Default: `defaultLimits` of signInFailures.ts. */
  readonly signInLimits?: SignInFailuresOptions['limits'];
  /** Reports changed rights, so that open WebSockets are checked again. Default: nothing is reported. */
  readonly signInChanges?: SignInChanges;
  /** The proxies whose X-Forwarded-For and X-Forwarded-Proto are believed. Default: those of nobody. */
  readonly trustedProxies?: TrustedProxies;
  /** Gets what the audit records. Default: nothing is recorded. */
  readonly reports?: AuditReports;
  /** The clock by which credentials expire. Default: the clock of this machine. */
  readonly now?: () => Date;
  /** Default: there is no limit for the time that a request waits for the database. */
  readonly patiently?: Patiently;
};

export type ServerLimits = SocketLimits &
  RateLimits &
  ConnectionLimits & {
    readonly maxBodyBytes: number;
    /** How long a client may take for the head of a request, and for the whole request. Later the answer is 408. */
    readonly headMs: number;
    readonly requestMs: number;
    /** How long `close` waits for requests that are being answered. */
    readonly graceMs: number;
    /** How many signed-in WebSockets one viewer may have. */
    readonly socketsOfViewer: number;
    /** How many signed-in HTTP connections of one viewer stay open between two requests. */
    readonly connectionsOfViewer: number;
    /** How long a query or a mutation waits for others of its viewer. */
    readonly requestWaitMs: number;
    /** The unread bytes of one viewer, and of all clients, from which on no further answers are produced for them. */
    readonly queuedBytesOfViewer: number;
    readonly queuedBytes: number;
  };

const defaultLimits: ServerLimits = {
  maxBodyBytes: 1_048_576,
  headMs: 10_000,
  requestMs: 60_000,
  pendingConnections: 1_000,
  pendingConnectionsOfAddress: 250,
  maxMessageBytes: 1_048_576,
  connectionInitMs: 5_000,
  pingMs: 30_000,
  graceMs: 10_000,
  pendingSockets: 1_000,
  pendingSocketsOfAddress: 100,
  socketsOfViewer: 100,
  connectionsOfViewer: 256,
  requestsOfViewer: 12_000,
  requestsOfAddress: 120_000,
  requestWaitMs: 5_000,
  messagesPerSecond: 200,
  operationsPerSecond: 50,
  queuedBytesOfViewer: 33_554_432,
  queuedBytes: 134_217_728,
};

/**
 * How long an idle connection stays open. Node's default of 5 s is shorter than that of proxies and clients. With that
 * default a client may send a request just when the server closes the connection, and cannot know whether it was
 * executed.
 */
const keptAliveMs = 75_000;
/** How often Node checks for clients that take too long for a request. */
const checkEveryMs = 1_000;

/**
 * The API: `POST /graphql`, WebSocket `/graphql`, `/playground`, `/v2/dashboard/<service instance id>`, `/healthz`,
 * `/readyz`, `/metrics`. No cross-origin request is allowed.
 */
export async function createServer(options: ServerOptions): Promise<ApiServer> {
  const { signInLimits } = options;
  const limits = { ...defaultLimits, ...options.limits };
  const metrics = serverMetrics(options.registry);
  const signInFailures = createSignInFailures({ log: options.log, limits: signInLimits });
  const shares = new Shares({ ...limits, ofViewer: limits.queuedBytesOfViewer, inTotal: limits.queuedBytes }, (limit) =>
    metrics.exceededAnswers.inc({ limit }),
  );
  const {
    signInChanges: changes = new SignInChanges(),
    now = () => new Date(),
    trustedProxies: proxies = noProxies,
    reports = noReports,
  } = options;
  const rates = new RequestRates(limits);
  const connections = new PendingConnections(limits, proxies, () => metrics.closedConnections.inc());
  const signedInConnections = new SignedInConnections(limits.connectionsOfViewer);
  const guarded = {
    ...options,
    signedInConnections,
    rates,
    metrics,
    signInFailures,
    shares,
    changes,
    now,
    proxies,
    connections,
    reports,
  };
  const api = await httpApi({ ...guarded, maxBodyBytes: limits.maxBodyBytes });
  const guards = {
    before: signedInOnly({ ...guarded, maxBodyBytes: limits.maxBodyBytes }),
    after: answerErrors(options.log),
  };
  const app = apiApp({ ...guarded, guards, api, isClosing: () => graceful.isClosing });
  const timeouts = {
    keepAliveTimeout: keptAliveMs,
    headersTimeout: limits.headMs,
    requestTimeout: limits.requestMs,
    connectionsCheckingInterval: checkEveryMs,
  };
  const server = createHttpServer(timeouts, (request, response) => {
    graceful.follow(response);
    identifyClient(request, proxies);
    app(request, response);
  });
  server.on('connection', (socket) => connections.add(socket));
  const sockets = socketApi(server, { ...guarded, ...limits, path: '/graphql' });
  const graceful = new GracefulServer(server, { ...options, sockets, api, signInFailures, graceMs: limits.graceMs });
  return graceful;
}
