import type { GraphQLResolveInfo } from 'graphql';
import { Arg, Ctx, ID, Info, Mutation, Resolver } from 'type-graphql';
import { commandRequest } from '../../server/commandRequest.js';
import { InputProblems, text, uuid } from '../../server/inputValidation.js';
import type { RequestContext } from '../../server/requestContext.js';
import { authorize, Requires } from '../../server/requires.js';
import type { BackupJobDependencies } from './backupJobApi.js';
import { findBackupJob } from './backupJobQueries.js';
import { BackupJobType } from './backupJobType.js';
import { BackupJobTable, type BackupJobRow } from '../backupJobView.js';
import { holdBackup, releaseHold } from '../deletion/holdBackup.js';

const longestReason = 200;

@Resolver()
export class HoldBackupResolver {
  constructor(private readonly with_: Pick<BackupJobDependencies, 'commands' | 'now' | 'dataSource'>) {}

  @Mutation(() => BackupJobType, {
    description:
      'Neither retention nor a person deletes it until it is released. Again for the same reason: nothing changes.',
  })
  @Requires('OPERATOR')
  async holdBackup(
    @Arg('id', () => ID) id: string,
    @Arg('reason', () => String, { description: `1 to ${longestReason} printable characters.` }) reason: string,
    @Arg('commandId', () => ID, { nullable: true }) commandId: string | null | undefined,
    @Ctx() context: RequestContext,
    @Info() info: GraphQLResolveInfo,
  ): Promise<BackupJobType> {
    const row = await this.authorizedJob(context, info, id);
    new InputProblems()
      .check('reason', reason, text(1, longestReason))
      .check('commandId', commandId, uuid)
      .throwIfAny();
    const { projectId } = row;
    const input = { id: row.id, reason };
    const request = commandRequest(context, { operation: 'holdBackup', projectId, input, commandId });
    await holdBackup(this.with_, request, row, { reason, by: context.viewer.subject });
    return this.answer(row.id);
  }

  @Mutation(() => BackupJobType, {
    description: 'Retention and people may delete it again. Not held: nothing changes.',
  })
  @Requires('OPERATOR')
  async releaseBackup(
    @Arg('id', () => ID) id: string,
    @Arg('commandId', () => ID, { nullable: true }) commandId: string | null | undefined,
    @Ctx() context: RequestContext,
    @Info() info: GraphQLResolveInfo,
  ): Promise<BackupJobType> {
    const row = await this.authorizedJob(context, info, id);
    new InputProblems().check('commandId', commandId, uuid).throwIfAny();
    const { projectId } = row;
    const request = commandRequest(context, {
      operation: 'releaseBackup',
      projectId,
      input: { id: row.id },
      commandId,
    });
    await releaseHold(this.with_, request, row, context.viewer.subject);
    return this.answer(row.id);
  }

  private async authorizedJob(context: RequestContext, info: GraphQLResolveInfo, id: string): Promise<BackupJobRow> {
    const row = await findBackupJob(this.with_.dataSource.manager, id);
    authorize({ context, info }, row?.projectId, 'backup job');
    return row;
  }

  private async answer(id: string): Promise<BackupJobType> {
    return new BackupJobType(await this.with_.dataSource.manager.findOneByOrFail(BackupJobTable, { id }));
  }
}
