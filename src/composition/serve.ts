import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Registry } from 'prom-client';
import type { ServeConfig } from '../config.js';
import { createEngines } from '../engines/engines.js';
import type { Log } from '../log.js';
import { installationToken } from '../server/authenticate.js';
import { createServer } from '../server/createServer.js';
import type { Running } from '../untilStopped.js';
import { openAlarmClock } from './alarmClock.js';
import { composeApi } from './api.js';
import { Closing } from './closing.js';
import { openStores } from './stores.js';

/** `url` is where the API really listens. */
export type Serving = Running & { readonly url: string };

/** `stowage serve`: the API. */
export async function startServe(config: ServeConfig, log: Log): Promise<Serving> {
  const closing = new Closing(log);
  return closing.guard(async () => {
    if (config.singleSignOn !== null) log.warn('Single sign-on is not built yet: the OIDC settings have no effect.');
    const stores = await openStores(config, log, closing);
    const alarmClock = await openAlarmClock(config.scheduleStore, config.databaseUrl, log);
    closing.add('alarm clock', () => alarmClock.stop());

    const stopping = new AbortController();
    const engines = createEngines({
      allowAddress: (address, host) => config.allowedTargets.allowsHost(host, address),
    });
    const schema = composeApi({
      ...stores,
      engines,
      allowedTargets: config.allowedTargets,
      now: () => new Date(),
      stopping: stopping.signal,
      publicUrl: () => config.publicUrl ?? server.url,
    });
    const server = await createServer({
      schema,
      authenticate: installationToken(config.adminToken),
      host: config.host,
      port: config.port,
      log,
      registry: new Registry(),
      readiness: {
        postgresql: () => stores.dataSource.query('SELECT 1'),
        scheduleStore: () => alarmClock.ping(),
      },
      playgroundFolder: playgroundFolder(),
    });
    closing.add('API', () => server.close());
    closing.add('what waits for the network', () => {
      stopping.abort();
      return Promise.resolve();
    });
    await server.listen();
    log.info(`The API listens at ${server.url}/graphql.`);
    return { url: server.url, stop: () => closing.close() };
  });
}

/** dist/playground, seen from dist/src/composition and from src/composition. */
function playgroundFolder(): string {
  const places = ['../../playground', '../../dist/playground'].map((place) =>
    fileURLToPath(new URL(place, import.meta.url)),
  );
  return places.find((place) => existsSync(place)) ?? places.at(-1) ?? '';
}
