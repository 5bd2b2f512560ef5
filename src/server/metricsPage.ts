import type { RequestHandler } from 'express';
import type { Registry } from 'prom-client';
import { bearerToken, type Authenticate } from './authenticate.js';

/**
 * `/metrics`. Without a token: what this process counts about itself, which names no project. With the installation's
 * own token, or the one for metrics alone: what the database knows about all projects as well. Any other token is
 * refused, so that a scraper whose token is wrong does not go on with half of it.
 */
export function metricsPage(options: {
  readonly open: Registry;
  readonly ofInstallation: Registry;
  readonly authenticate: Authenticate;
  /** Tells whether this is the token for metrics alone. */
  readonly isMetricsToken: (token: string) => boolean;
}): RequestHandler {
  const { open, ofInstallation, authenticate, isMetricsToken } = options;
  return async (request, response) => {
    response.type(open.contentType);
    if (request.headers.authorization === undefined) {
      response.send(await open.metrics());
      return;
    }
    const token = bearerToken(request.headers.authorization);
    const viewer = token === undefined || isMetricsToken(token) ? undefined : await authenticate(token);
    const isAllowed = token !== undefined && (isMetricsToken(token) || viewer?.isInstallation === true);
    if (isAllowed) {
      response.send(`${await open.metrics()}${await ofInstallation.metrics()}`);
      return;
    }
    response
      .status(viewer === undefined ? 401 : 403)
      .set('WWW-Authenticate', 'Bearer')
      .type('text')
      .send("Send the installation's token or the one for metrics, or none for the metrics of this process alone.\n");
  };
}
