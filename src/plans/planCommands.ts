import { randomUUID } from 'node:crypto';
import { badInput, notFound } from '../errors.js';
import type { CommandHandling, CommandRequest } from '../eventSourcing/commandHandling.js';
import type { Transaction } from '../eventSourcing/eventStore.js';
import type { ServiceRow } from '../services/serviceView.js';
import type { NewestTicks } from './accountedUntil.js';
import { backupPlan, type BackupPlan, type PlanContent } from './backupPlan.js';
import type { BackupPlanRow } from './backupPlanView.js';
import { lockPlan, recordUnhandled } from './missedTicks.js';
import { foreignEndpoints } from './planQueries.js';

export type PlanTools = {
  readonly commands: CommandHandling;
  readonly now: () => Date;
  readonly newestTicks: NewestTicks;
};

type Id = { id: string };
const nameKind = 'plan';

export async function createBackupPlan(
  tools: PlanTools,
  request: CommandRequest,
  plan: {
    readonly service: Pick<ServiceRow, 'id' | 'projectId' | 'removedAt'>;
    readonly content: PlanContent;
    readonly paused: boolean;
  },
): Promise<string> {
  const { service, content, paused } = plan;
  const { id: serviceId, projectId } = service;
  const { id } = await tools.commands.handle<Id>(request, (commit) =>
    commit(async (tx) => {
      if (service.removedAt !== null) throw notFound('service');
      const id = randomUUID();
      await refuseForeignEndpoints(tx, projectId, content.fileEndpointIds);
      await tx.reservations.claimName(nameKind, projectId, content.name, id);
      await tx.reservations.use(serviceId, id);
      for (const endpointId of content.fileEndpointIds) await tx.reservations.use(endpointId, id);
      const at = tools.now().toISOString();
      await tx.execute(backupPlan, { id, projectId }, { kind: 'CREATE', serviceId, content, paused, at });
      return { id };
    }),
  );
  return id;
}

/** `change.content` computes the new content from the content that the transaction reads. */
export async function updateBackupPlan(
  tools: PlanTools,
  request: CommandRequest,
  { id, projectId }: Pick<BackupPlanRow, 'id' | 'projectId'>,
  change: {
    readonly content: (before: PlanContent) => PlanContent;
    readonly paused: boolean | undefined;
    readonly expectedVersion: number | undefined;
  },
): Promise<void> {
  await tools.commands.handle<Id>(request, (commit) =>
    commit(async (tx) => {
      const before = await lockPlan(tx.manager, id);
      const { state } = await tx.load(backupPlan, id);
      if (state.status === 'NONE') throw notFound('backup plan');
      const content = change.content(state.content);
      const paused = change.paused ?? state.status === 'PAUSED';
      const now = tools.now();
      const command = { kind: 'UPDATE', content, paused, at: now.toISOString() } as const;
      const { state: after } = await tx.execute(backupPlan, { id, projectId }, command, change.expectedVersion);
      await closeSchedule(tx, tools.newestTicks, { before, after, now });
      if (content.name !== state.content.name) {
        await tx.reservations.releaseNames(nameKind, id);
        await tx.reservations.claimName(nameKind, projectId, content.name, id);
      }
      await moveEndpoints(tx, { id, projectId }, state.content.fileEndpointIds, content.fileEndpointIds);
      return { id };
    }),
  );
}

export async function setPaused(
  tools: PlanTools,
  request: CommandRequest,
  { id, projectId }: Pick<BackupPlanRow, 'id' | 'projectId'>,
  paused: boolean,
): Promise<void> {
  await tools.commands.handle<Id>(request, (commit) =>
    commit(async (tx) => {
      const before = await lockPlan(tx.manager, id);
      const now = tools.now();
      const command = { kind: paused ? 'PAUSE' : 'RESUME', at: now.toISOString() } as const;
      const { state: after } = await tx.execute(backupPlan, { id, projectId }, command);
      await closeSchedule(tx, tools.newestTicks, { before, after, now });
      return { id };
    }),
  );
}

/** The plan's backups stay. Its name, service and file endpoints are free again. */
export async function removeBackupPlan(
  tools: PlanTools,
  request: CommandRequest,
  { id, projectId, serviceId }: Pick<BackupPlanRow, 'id' | 'projectId' | 'serviceId'>,
  expectedVersion: number | undefined,
): Promise<void> {
  await tools.commands.handle<Id>(request, (commit) =>
    commit(async (tx) => {
      const { state } = await tx.load(backupPlan, id);
      const at = tools.now().toISOString();
      await tx.execute(backupPlan, { id, projectId }, { kind: 'REMOVE', at }, expectedVersion);
      if (state.status === 'NONE' || state.status === 'REMOVED') return { id };
      await tx.reservations.releaseNames(nameKind, id);
      await tx.reservations.release(serviceId, id);
      for (const endpointId of state.content.fileEndpointIds) await tx.reservations.release(endpointId, id);
      return { id };
    }),
  );
}

/** Records the ticks that are due and not handled if this transaction ends an active schedule. */
async function closeSchedule(
  tx: Transaction,
  newestTicks: NewestTicks,
  { before, after, now }: { readonly before: BackupPlanRow | null; readonly after: BackupPlan; readonly now: Date },
): Promise<void> {
  if (before === null || before.paused || before.removedAt !== null || after.status === 'NONE') return;
  if (after.scheduleVersion !== before.scheduleVersion) await recordUnhandled(tx, before, newestTicks, now);
}

async function moveEndpoints(
  tx: Transaction,
  { id, projectId }: { readonly id: string; readonly projectId: string },
  before: readonly string[],
  after: readonly string[],
): Promise<void> {
  await refuseForeignEndpoints(tx, projectId, after);
  for (const endpointId of after.filter((each) => !before.includes(each))) await tx.reservations.use(endpointId, id);
  for (const endpointId of before.filter((each) => !after.includes(each)))
    await tx.reservations.release(endpointId, id);
}

async function refuseForeignEndpoints(tx: Transaction, projectId: string, ids: readonly string[]): Promise<void> {
  const problems = await foreignEndpoints(tx.manager, projectId, ids);
  if (problems.length > 0) throw badInput(problems);
}
