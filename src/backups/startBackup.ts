import { randomUUID } from 'node:crypto';
import { In } from 'typeorm';
import { FileEndpointTable } from '../endpoints/fileEndpointView.js';
import { badInput, notFound, StowageError } from '../errors.js';
import type { CommandHandling, CommandRequest } from '../eventSourcing/commandHandling.js';
import type { Transaction } from '../eventSourcing/eventStore.js';
import { backupPlan } from '../plans/backupPlan.js';
import type { JobQueue } from '../postgres/contracts/jobQueue.js';
import type { Signals } from '../postgres/contracts/telemetry.js';
import { service, serviceRemoved } from '../services/service.js';
import type { BackupRequest } from './backupJob.js';
import { queueBackup } from './backupJobCommands.js';

export type BackupTools = {
  readonly commands: CommandHandling;
  readonly queue: JobQueue;
  readonly signals: Signals;
  readonly now: () => Date;
};

/** The limits of a job without a plan. */
export const withoutPlan = {
  maxAttempts: 3,
  timeoutMs: null,
  stallTimeoutMs: 600_000,
  driftThreshold: null,
  includeUsers: 'WITHOUT_PASSWORDS',
  compression: 'BALANCED',
} as const;

export type BackupOrder = {
  readonly projectId: string;
  readonly requestedBy: string;
  readonly of:
    | { readonly planId: string }
    | { readonly serviceId: string; readonly fileEndpointId: string; readonly yieldToLocks: boolean };
};

type StartedBackup = { batchId: string; jobIds: readonly string[] };

/**
 * Queues a manual backup. For a plan it queues one job for each of its destinations, in their order. For a service it
 * queues one job. Throws CONFLICT for a removed plan or service, and BAD_INPUT for a file endpoint of another project.
 */
export async function startBackup(
  tools: BackupTools,
  request: CommandRequest,
  order: BackupOrder,
): Promise<StartedBackup> {
  const started = await tools.commands.handle<StartedBackup>(request, (commit) =>
    commit(async (tx) => {
      const batchId = randomUUID();
      const jobIds: string[] = [];
      for (const backup of await backupsOf(tx, order)) {
        const id = randomUUID();
        await queueBackup(
          tx,
          tools.queue,
          { id, projectId: order.projectId },
          {
            ...backup,
            trigger: 'MANUAL',
            batchId,
            requestedBy: order.requestedBy,
            retryOf: null,
            scheduledFor: null,
            queuedAt: tools.now().toISOString(),
          },
        );
        jobIds.push(id);
      }
      return { batchId, jobIds };
    }),
  );
  return started;
}

type PlannedBackup = Pick<
  BackupRequest,
  'serviceId' | 'engine' | 'planId' | 'fileEndpointId' | 'maxAttempts' | 'timeoutMs' | 'stallTimeoutMs'
> &
  Required<Pick<BackupRequest, 'yieldToLocks' | 'driftThreshold' | 'includeUsers' | 'compression'>>;

async function backupsOf(tx: Transaction, { projectId, of }: BackupOrder): Promise<readonly PlannedBackup[]> {
  if (!('planId' in of)) {
    const { serviceId, fileEndpointId, yieldToLocks } = of;
    await refuseForeignEndpoint(tx, projectId, fileEndpointId);
    const engine = await engineOfService(tx, serviceId);
    return [{ serviceId, engine, planId: null, fileEndpointId, yieldToLocks, ...withoutPlan }];
  }
  return plannedBackups(tx, of.planId);
}

/** One job for each destination of a plan, in their order. Throws CONFLICT for a removed plan. */
export async function plannedBackups(tx: Transaction, planId: string): Promise<readonly PlannedBackup[]> {
  const { state: plan } = await tx.load(backupPlan, planId);
  if (plan.status === 'NONE') throw notFound('backup plan');
  const { serviceId, content } = plan;
  if (plan.status === 'REMOVED') {
    throw new StowageError('CONFLICT', `Backup plan "${content.name}" was removed.`, {
      help: 'Start a backup of the service itself, or create the plan again.',
    });
  }
  const engine = await engineOfService(tx, serviceId);
  const { maxAttempts, timeoutMs, stallTimeoutMs, yieldToLocks, driftThreshold, includeUsers, compression } = content;
  return content.fileEndpointIds.map((fileEndpointId) => ({
    ...{ serviceId, engine, planId, fileEndpointId, maxAttempts, timeoutMs, stallTimeoutMs },
    ...{ yieldToLocks, driftThreshold, includeUsers, compression },
  }));
}

/** Throws CONFLICT for a removed service. */
export async function engineOfService(tx: Transaction, serviceId: string): Promise<string> {
  const { state } = await tx.load(service, serviceId);
  if (state.status === 'NONE') throw notFound('service');
  if (state.status === 'REMOVED') throw serviceRemoved(state.settings.name);
  return state.identity.engine;
}

/**
 * The message is the same for an endpoint of another project, a removed endpoint and an unknown endpoint, so that it
 * reveals nothing.
 */
async function refuseForeignEndpoint(tx: Transaction, projectId: string, fileEndpointId: string): Promise<void> {
  const [row] = await tx.manager.findBy(FileEndpointTable, { id: In([fileEndpointId]), projectId });
  if (row !== undefined && row.removedAt === null) return;
  throw badInput([
    {
      path: 'input.service.fileEndpointId',
      problem: 'names no file endpoint of this project',
      hint: 'Send the id of a file endpoint of the service’s project; fileEndpoints lists them.',
    },
  ]);
}
