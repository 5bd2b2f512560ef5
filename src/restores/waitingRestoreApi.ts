import { Ctx, FieldResolver, Resolver, Root } from 'type-graphql';
import { reasonsOf, type WaitingDependencies } from '../backups/api/waitingBackupApi.js';
import { waitingMessage } from '../jobs/waitingMessage.js';
import type { RequestContext } from '../server/requestContext.js';
import { restoreJobMessage } from './restoreJobMessage.js';
import { RestoreJobType } from './restoreJobType.js';
import type { RestoreJobRow } from './restoreJobView.js';

/** A QUEUED restore that no living worker can run says so, as a backup does. */
@Resolver(() => RestoreJobType)
export class WaitingRestoreJobResolver {
  constructor(private readonly with_: WaitingDependencies) {}

  private readonly reasons = (ids: readonly string[]) => reasonsOf(this.with_, ids);

  @FieldResolver(() => String, { description: 'One sentence for a person, whatever the status.' })
  message(@Root() { row }: RestoreJobType, @Ctx() context: RequestContext): string | Promise<string> {
    const message = restoreJobMessage(row);
    return row.status === 'QUEUED' ? this.waiting(row, message, context) : message;
  }

  private async waiting(row: RestoreJobRow, message: string, context: RequestContext): Promise<string> {
    const reason = await context.loaders.of(this.reasons).load(row.id);
    return reason === null
      ? message
      : waitingMessage(reason, this.with_.engines, { usual: message, attempts: row.attempts });
  }
}
