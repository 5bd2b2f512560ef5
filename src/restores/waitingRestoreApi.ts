import { Ctx, FieldResolver, Resolver, Root } from 'type-graphql';
import { reasonsOf, type WaitingDependencies } from '../jobs/waitingJobApi.js';
import { waitingMessage } from '../jobs/waitingMessage.js';
import type { RequestContext } from '../server/requestContext.js';
import { RestoreJobType } from './restoreJobType.js';

/** A QUEUED restore that no living worker can run says so, as a backup does. */
@Resolver(() => RestoreJobType)
export class WaitingRestoreJobResolver {
  constructor(private readonly with_: WaitingDependencies) {}

  private readonly reasons = (ids: readonly string[]) => reasonsOf(this.with_, ids);

  @FieldResolver(() => String, { description: 'One sentence for a person, whatever the status.' })
  async message(@Root() job: RestoreJobType, @Ctx() context: RequestContext): Promise<string> {
    const { row, message } = job;
    if (row.status !== 'QUEUED') return message;
    const reason = await context.loaders.of(this.reasons).load(row.id);
    return reason === null ? message : waitingMessage(reason, { usual: message, attempts: row.attempts });
  }
}
