import { randomUUID } from 'node:crypto';
import express, { type ErrorRequestHandler, type Express, type RequestHandler, type Router } from 'express';
import { Registry } from 'prom-client';
import { StowageError } from '../errors.js';
import type { Secret } from '../secret.js';
import { apiError, type ErrorLog } from './apiError.js';
import type { AuditReports } from './auditReports.js';
import { sameToken, type Authenticate } from './authenticate.js';
import { alive, ready, type ReadinessChecks } from './health.js';
import type { BrowserSignIn } from './browserSignIn.js';
import type { RequestRates } from './fairness/requestRates.js';
import { pageRates } from './http/pageRates.js';
import type { HttpApi } from './httpApi.js';
import type { ServerMetrics } from './metrics.js';
import { metricsPage } from './metricsPage.js';
import type { SignInFailures } from './signInFailures.js';
import { bundledPlayground, playground } from './playgroundPage.js';
import { closedToBrowsers, ownScriptsOnly } from './securityHeaders.js';

/** What comes before and after each page for callers who have signed in. */
export type SignedInGuards = {
  /** Lets only callers pass who have signed in. */
  readonly before: RequestHandler;
  /** Answers errors, such as a missing sign-in. */
  readonly after: ErrorRequestHandler;
};

export type PublicPages = {
  readonly authenticate: Authenticate;
  /** The metrics that /metrics shows to anyone. They name no project. */
  readonly registry: Registry;
  /** The metrics that /metrics adds for the installation-level token and for `metricsToken`. */
  readonly installationRegistry?: Registry;
  readonly metricsToken?: Secret | null;
  /** The checks of /readyz. */
  readonly readiness: ReadinessChecks;
  /** Absent: only tokens sign in. */
  readonly browsers?: BrowserSignIn;
  /** Pages for callers who have signed in, such as downloads. */
  readonly signedInPages?: (guards: SignedInGuards) => Router;
  /** Default: where `npm run build:playground` puts the playground. */
  readonly playgroundFolder?: string;
};

export type ApiAppOptions = PublicPages & {
  readonly api: HttpApi;
  readonly log: ErrorLog;
  readonly metrics: ServerMetrics;
  readonly signInFailures: SignInFailures;
  readonly reports: AuditReports;
  readonly guards: SignedInGuards;
  readonly rates: RequestRates;
  readonly isClosing: () => boolean;
};

/** The HTTP routes of the API. */
export function apiApp(options: ApiAppOptions): Express {
  const app = express();
  app.disable('x-powered-by');
  app.use(countRequests(options.metrics), closedToBrowsers);
  app.use(pageRates(options.rates, options.metrics));
  app.get('/healthz', alive);
  app.get('/readyz', ready(options.readiness, options.isClosing));
  app.get(
    '/metrics',
    metricsPage({
      open: options.registry,
      ofInstallation: options.installationRegistry ?? new Registry(),
      authenticate: options.authenticate,
      metrics: options.metrics,
      signInFailures: options.signInFailures,
      reports: options.reports,
      isMetricsToken: options.metricsToken ? sameToken(options.metricsToken) : () => false,
    }),
  );
  app.use('/playground', ownScriptsOnly, playground(options.playgroundFolder ?? bundledPlayground()));
  if (options.browsers !== undefined) app.use(options.browsers.pages(options));
  if (options.signedInPages !== undefined) app.use(options.signedInPages(options.guards));
  app.post('/graphql', ...options.api.handlers);
  app.all('/graphql', (_request, response) => {
    response.status(405).set('Allow', 'POST').type('text').send('Send a POST, or open a WebSocket.\n');
  });
  app.use((_request, response) => {
    response
      .status(404)
      .type('text')
      .send('This page does not exist. The API is at /graphql, the playground at /playground.\n');
  });
  app.use(answerErrors(options.log));
  return app;
}

function countRequests({ httpRequests, httpSeconds }: ServerMetrics): RequestHandler {
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

/** Errors outside of GraphQL, such as a malformed path or an unreadable file. The client gets no stack. */
function answerErrors(log: ErrorLog): ErrorRequestHandler {
  return (error: unknown, _request, response, next) => {
    if (response.headersSent) {
      next(error);
      return;
    }
    if (error instanceof StowageError && error.code === 'UNAVAILABLE') {
      response.status(503).set('Retry-After', '5').type('text').send(`${error.message} ${error.help}\n`);
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

/** The name of the route, from a fixed set, so that a client cannot create new label values. */
function routeOf(path: string): string {
  if (['/graphql', '/healthz', '/readyz', '/metrics'].includes(path)) return path;
  if (path.startsWith('/playground')) return '/playground';
  if (/^\/sign-(in|out)(\/|$)/.test(path)) return path.startsWith('/sign-in') ? '/sign-in' : '/sign-out';
  if (path.startsWith('/audit/')) return '/audit';
  return path.startsWith('/v2/dashboard/') ? '/v2/dashboard' : 'other';
}
