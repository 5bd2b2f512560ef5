import type { RequestHandler } from 'express';
import type { Registry } from 'prom-client';
import { bearerToken, type Authenticate } from './authenticate.js';
import type { AuditReports } from './auditReports.js';
import { clientAddressOf } from './client/clientOf.js';
import type { ServerMetrics } from './metrics.js';
import type { SignInFailures } from './signInFailures.js';

/**
 * `/metrics`. Without a token it shows the metrics of this process, which name no project. With the installation-level
 * token, or with the token for metrics, it also shows the figures of the database about all projects. Any other token
 * is refused, so that a scraper with a wrong token notices this and does not get half of the metrics.
 */
export function metricsPage(options: {
  readonly open: Registry;
  readonly ofInstallation: Registry;
  readonly authenticate: Authenticate;
  /** True for the token for metrics. */
  readonly isMetricsToken: (token: string) => boolean;
  readonly metrics: ServerMetrics;
  readonly signInFailures: SignInFailures;
  readonly reports: AuditReports;
}): RequestHandler {
  const { open, ofInstallation, authenticate, isMetricsToken, metrics, signInFailures, reports } = options;
  return async (request, response) => {
    response.type(open.contentType);
    if (request.headers.authorization === undefined) {
      response.send(await open.metrics());
      return;
    }
    const token = bearerToken(request.headers.authorization);
    const signedIn =
      token === undefined || isMetricsToken(token) ? undefined : await authenticate({ kind: 'BEARER', value: token });
    const viewer = signedIn?.viewer;
    const isAllowed = token !== undefined && (isMetricsToken(token) || viewer?.isInstallation === true);
    if (isAllowed) {
      response.send(`${await open.metrics()}${await ofInstallation.metrics()}`);
      return;
    }
    if (viewer === undefined) {
      metrics.failedSignIns.inc({ transport: 'metrics' });
      reports.credentialRefused(clientAddressOf(request), 'A request of /metrics carries a token that is not valid.');
      await signInFailures.failed(clientAddressOf(request), token);
    }
    response
      .status(viewer === undefined ? 401 : 403)
      .set('WWW-Authenticate', 'Bearer')
      .type('text')
      .send(
        'Send the installation-level token or the token for metrics. Without a token you get only the metrics of this process.\n',
      );
  };
}
