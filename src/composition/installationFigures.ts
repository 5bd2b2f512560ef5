import type { EntityManager } from 'typeorm';
import { backupTotals, serviceFigures } from '../protection/backupFigures.js';
import { JobStatusEnum } from '../backups/api/backupJobType.js';
import type { Log } from '../log.js';
import { queueCensus } from '../postgres/queueCensus.js';
import { installationMetrics, type InstallationFigures } from '../server/installationMetrics.js';
import { ProtectionStatusEnum } from '../services/serviceInput.js';
import type { Shared } from './shared.js';

/** The time limit for the figures. After it the metrics are shown without them. */
const patienceMs = 10_000;

/** Adds the figures about all projects to the registry that the installation-level token opens. */
export function registerInstallationFigures(shared: Shared, log: Log): void {
  const { dataSource, feed, store, now } = shared;
  installationMetrics({
    registry: shared.installationRegistry,
    now,
    statuses: Object.keys(JobStatusEnum),
    protections: Object.keys(ProtectionStatusEnum),
    figures: () =>
      dataSource.transaction('REPEATABLE READ', async (manager) => {
        await manager.query(`SET TRANSACTION READ ONLY; SET LOCAL statement_timeout = ${patienceMs}`);
        return installationFigures(manager, now());
      }),
    async feedLag() {
      const subscription = feed.subscribe(() => undefined);
      subscription.close();
      const lag = (await store.head()) - subscription.from;
      return lag > 0n ? Number(lag) : 0;
    },
    onError: (error) =>
      log.warn({ err: error }, 'The figures of the installation are missing in a scrape of /metrics.'),
  });
}

async function installationFigures(manager: EntityManager, now: Date): Promise<InstallationFigures> {
  return {
    totals: await backupTotals(manager),
    services: await serviceFigures(manager, now),
    queue: await queueCensus(manager),
  };
}
