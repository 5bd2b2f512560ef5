import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { GraphQLSchema } from 'graphql';
import express, { type ErrorRequestHandler, type RequestHandler } from 'express';
import { Registry } from 'prom-client';
import type { Secret } from '../secret.js';
import { apiError, type ErrorLog } from './apiError.js';
import { sameToken, type Authenticate } from './authenticate.js';
import { dashboardPage } from './dashboardPage.js';
import { alive, ready, type ReadinessChecks } from './health.js';
import { httpApi } from './httpApi.js';
import { metricsPage } from './metricsPage.js';
import { serverMetrics, type ServerMetrics } from './metrics.js';
import { bundledPlayground, playground } from './playgroundPage.js';
import { closedToBrowsers, ownScriptsOnly } from './securityHeaders.js';
import { socketApi } from './socketApi.js';

export type ServerOptions = {
  /** Of `buildApiSchema`. */
  readonly schema: GraphQLSchema;
  readonly authenticate: Authenticate;
  readonly host: string;
  /** 0: any free one; `url` says which. */
  readonly port: number;
  readonly log: ErrorLog & { warn(fields: object, message: string): void };
  /** What anyone may see at /metrics: it names no project. */
  readonly registry: Registry;
  /** What only the installation's token and `metricsToken` open there as well. */
  readonly installationRegistry?: Registry;
  readonly metricsToken?: Secret | null;
  /** What /readyz asks. */
  readonly readiness: ReadinessChecks;
  /** Default: where `npm run build:playground` puts the playground. */
  readonly playgroundFolder?: string;
  readonly limits?: Partial<ServerLimits>;
};

export type ServerLimits = {
  readonly maxBodyBytes: number;
  readonly maxMessageBytes: number;
  readonly connectionInitMs: number;
  readonly pingMs: number;
  /** How long `close` waits for requests that are being answered. */
  readonly graceMs: number;
};

const defaultLimits: ServerLimits = {
  maxBodyBytes: 1_048_576,
  maxMessageBytes: 1_048_576,
  connectionInitMs: 5_000,
  pingMs: 30_000,
  graceMs: 10_000,
};

export interface ApiServer {
  /** Begins to accept; rejects when the address cannot be used. */
  listen(): Promise<void>;
  /** `http://host:port` as it really listens; throws before `listen`. */
  readonly url: string;
  /**
   * Accepts no more, closes every WebSocket with 1001, waits up to `graceMs` for requests that are being answered, and
   * then ends what is left. Twice is once.
   */
  close(): Promise<void>;
}

/**
 * How long an idle connection stays open. Node's 5 s are shorter than what proxies and clients keep theirs for, so that a
 * request may meet the end of its connection: nobody knows then whether it was taken.
 */
const keptAliveMs = 75_000;

/**
 * The API: `POST /graphql`, WebSocket `/graphql`, `/playground`, `/v2/dashboard/<service instance id>`, `/healthz`,
 * `/readyz`, `/metrics`. No cross-origin request is allowed.
 */
export async function createServer(options: ServerOptions): Promise<ApiServer> {
  const limits = { ...defaultLimits, ...options.limits };
  const metrics = serverMetrics(options.registry);
  let port: number | undefined;
  let closing: Promise<void> | undefined;

  const api = await httpApi({ ...options, metrics, maxBodyBytes: limits.maxBodyBytes });
  const app = express();
  app.disable('x-powered-by');
  app.use(counted(metrics), closedToBrowsers);
  app.get('/healthz', alive);
  app.get(
    '/readyz',
    ready(options.readiness, () => closing !== undefined),
  );
  app.get(
    '/metrics',
    metricsPage({
      open: options.registry,
      ofInstallation: options.installationRegistry ?? new Registry(),
      authenticate: options.authenticate,
      isMetricsToken: options.metricsToken ? sameToken(options.metricsToken) : () => false,
    }),
  );
  app.use('/playground', ownScriptsOnly, playground(options.playgroundFolder ?? bundledPlayground()));
  app.get('/v2/dashboard/:instanceId', dashboardPage);
  app.post('/graphql', ...api.handlers);
  app.all('/graphql', (_request, response) => {
    response.status(405).set('Allow', 'POST').type('text').send('Send a POST, or open a WebSocket.\n');
  });
  app.use((_request, response) => {
    response
      .status(404)
      .type('text')
      .send('There is nothing here. The API is at /graphql, the playground at /playground.\n');
  });

  app.use(unanswerable(options.log));

  const server = createHttpServer({ keepAliveTimeout: keptAliveMs }, (request, response) => {
    // A connection that is kept alive would keep `close` waiting after its last answer.
    response.once('close', () => {
      if (closing !== undefined) setImmediate(() => server.closeIdleConnections());
    });
    app(request, response);
  });
  const sockets = socketApi(server, { ...options, ...limits, metrics, path: '/graphql' });

  return {
    async listen() {
      server.listen(options.port, options.host);
      await once(server, 'listening');
      port = portOf(server.address());
    },
    get url() {
      if (port === undefined) throw new Error('The server does not listen yet.');
      return `http://${options.host.includes(':') ? `[${options.host}]` : options.host}:${port}`;
    },
    close() {
      closing ??= closeGracefully();
      return closing;
    },
  };

  async function closeGracefully(): Promise<void> {
    if (server.listening) {
      const closed = once(server, 'close');
      server.close();
      sockets.goAway();
      const timer = setTimeout(() => {
        sockets.terminate();
        server.closeAllConnections();
      }, limits.graceMs);
      await closed;
      clearTimeout(timer);
    }
    await api.stop();
  }
}

function portOf(address: AddressInfo | string | null): number {
  if (address === null || typeof address === 'string') throw new Error('The server does not listen on a port.');
  return address.port;
}

function counted({ httpRequests, httpSeconds }: ServerMetrics): RequestHandler {
  return (request, response, next) => {
    const stop = httpSeconds.startTimer();
    response.once('close', () => {
      const route = routeOf(request.path);
      stop({ route });
      httpRequests.inc({ method: request.method, route, status: response.statusCode });
    });
    next();
  };
}

/** What fails outside of GraphQL: a path that is no path, a file that cannot be read. No stack reaches the client. */
function unanswerable(log: ErrorLog): ErrorRequestHandler {
  return (error: unknown, _request, response, next) => {
    if (response.headersSent) {
      next(error);
      return;
    }
    const status =
      error instanceof Error && 'status' in error && Number(error.status) < 500 ? Number(error.status) : 500;
    if (status === 500) apiError(error, randomUUID(), log);
    response
      .status(status)
      .type('text')
      .send(status === 500 ? 'Internal server error\n' : 'The request is not valid.\n');
  };
}

/** A handful of names: what a client can invent never becomes a label. */
function routeOf(path: string): string {
  if (['/graphql', '/healthz', '/readyz', '/metrics'].includes(path)) return path;
  if (path.startsWith('/playground')) return '/playground';
  return path.startsWith('/v2/dashboard/') ? '/v2/dashboard' : 'other';
}
