import { randomUUID } from 'node:crypto';
import type { Stores } from '../../src/composition/stores.js';
import { backupPlan, type PlanContent } from '../../src/plans/backupPlan.js';
import { parseFrequency } from '../../src/scheduler/cron/parseFrequency.js';
import { Secret } from '../../src/secret.js';
import { service, type ServiceSettings } from '../../src/services/service.js';

/** Many services of one project, each with a plan, appended directly to the log. Through the API this would take minutes. */
export async function planServices(
  stores: Pick<Stores, 'store' | 'vault'>,
  plans: {
    readonly count: number;
    /** The id of the plan with this number, from 0. */
    readonly frequency: (number: number) => string;
    readonly projectId: string;
    /** The file endpoint of all backups. */
    readonly fileEndpointId: string;
    readonly port?: number;
    readonly username?: string;
    readonly password?: string;
  },
): Promise<readonly string[]> {
  const { store, vault } = stores;
  const { count, frequency, projectId, fileEndpointId, port = 3306, username = 'bench', password = 'bench' } = plans;
  const at = new Date().toISOString();
  const metadata = { actor: 'bench', correlationId: randomUUID() };
  const ids: string[] = [];
  const atOnce = 200;
  for (let first = 0; first < count; first += atOnce) {
    await store.transact(metadata, async (tx) => {
      const credential = await vault.store(tx.manager, projectId, new Secret(password));
      for (let number = first; number < Math.min(first + atOnce, count); number += 1) {
        const [serviceId, planId] = [randomUUID(), randomUUID()];
        await tx.reservations.register(serviceId, 'service', projectId);
        const identity = { engine: 'MARIADB', instanceId: serviceId } as const;
        const settings: ServiceSettings = {
          ...{ name: `service ${number}`, host: '127.0.0.1', port, username, credential, authSource: null },
          ...{ databases: null, recoveryPointObjectiveMs: null, tls: { mode: 'OFF', ca: null } },
        };
        await tx.execute(service, { id: serviceId, projectId }, { kind: 'REGISTER', identity, settings, at });
        const typed = frequency(number);
        const content: PlanContent = {
          ...{ name: `plan ${number}`, fileEndpointIds: [fileEndpointId], typed, timeZone: 'UTC' },
          ...{ normalized: parseFrequency(typed).normalized, retention: { style: 'FILES', period: 7 } },
          ...{
            maxAttempts: 1,
            catchUpWindowMs: null,
            timeoutMs: null,
            stallTimeoutMs: 60_000,
            yieldToLocks: true,
            driftThreshold: null,
            includeUsers: 'NONE',
            compression: 'BALANCED',
            description: null,
          },
        };
        await tx.execute(
          backupPlan,
          { id: planId, projectId },
          { kind: 'CREATE', serviceId, content, paused: false, at },
        );
        ids.push(planId);
      }
    });
  }
  return ids;
}
