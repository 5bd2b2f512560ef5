import { Ctx, FieldResolver, Resolver, Root } from 'type-graphql';
import type { WaitingReason, WorkerRegistry } from '../../postgres/contracts/workerRegistry.js';
import type { Engines } from '../../engines/engines.js';
import type { RequestContext } from '../../server/requestContext.js';
import { backupJobMessage } from '../backupJobMessage.js';
import { BackupJobType } from './backupJobType.js';
import type { BackupJobRow } from '../backupJobView.js';
import { waitingMessage } from '../../jobs/waitingMessage.js';

export type WaitingDependencies = {
  readonly workers: Pick<WorkerRegistry, 'whyWaiting'>;
  readonly engines: Engines;
};

/** A QUEUED job that no living worker can run says so: nothing happens to it, so it is found out when it is read. */
@Resolver(() => BackupJobType)
export class WaitingBackupJobResolver {
  constructor(private readonly with_: WaitingDependencies) {}

  private readonly reasons = (ids: readonly string[]) => reasonsOf(this.with_, ids);

  @FieldResolver(() => String, { description: 'One sentence for a person, whatever the status.' })
  message(@Root() { row }: BackupJobType, @Ctx() context: RequestContext): string | Promise<string> {
    const message = backupJobMessage(row);
    return row.status === 'QUEUED' ? this.waiting(row, message, context) : message;
  }

  private async waiting(row: BackupJobRow, message: string, context: RequestContext): Promise<string> {
    const reason = await context.loaders.of(this.reasons).load(row.id);
    return reason === null
      ? message
      : waitingMessage(reason, this.with_.engines, { usual: message, attempts: row.attempts });
  }
}

export async function reasonsOf(
  { workers }: Pick<WaitingDependencies, 'workers'>,
  ids: readonly string[],
): Promise<readonly (WaitingReason | null)[]> {
  const reasons = await workers.whyWaiting(ids);
  return ids.map((id) => reasons.get(id) ?? null);
}
