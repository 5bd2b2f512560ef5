import { randomUUID } from 'node:crypto';
import { Arg, Args, Ctx, FieldResolver, ID, Mutation, Query, Resolver, Root } from 'type-graphql';
import { BackupJobType } from '../backups/api/backupJobType.js';
import { backupJobLookup, BackupJobTable, scopeOfBackupJob } from '../backups/backupJobView.js';
import { notFound, notYetAvailable } from '../errors.js';
import type { CommandRequest } from '../eventSourcing/commandHandling.js';
import { EntityArguments, entityMutation } from '../entities/entityMutation.js';
import { cancelByClient } from '../jobs/cancelByClient.js';
import type { JobSubscriptionDependencies } from '../jobs/jobSubscriptions.js';
import { Call } from '../server/call.js';
import { commandRequest } from '../server/commandRequest.js';
import { loadKnown } from '../server/loadKnown.js';
import { InputProblems, uuid } from '../server/inputValidation.js';
import { authorizedRow, visibleRow } from '../server/lookup.js';
import { ifVisible } from '../server/nodesOf.js';
import { PageArguments, type Page } from '../server/page.js';
import type { RequestContext } from '../server/requestContext.js';
import { demandRole, Requires, type OperationCall } from '../server/requires.js';
import { rowById, rowsById } from '../server/rowsById.js';
import { visibleInProject, visibleRows } from '../server/visibleRows.js';
import { roleAt } from '../server/scope.js';
import { findServices } from '../services/serviceQueries.js';
import { scopeOfService, serviceLookup } from '../services/serviceView.js';
import { ServiceType } from '../services/serviceType.js';
import { StartRestoreInput } from './restoreInput.js';
import { restoreHandling } from './restoreJobCommands.js';
import { selectRestoreJobs } from './restoreJobQueries.js';
import { RestoreJobConnection, RestoreJobType, RestoreStatusEnum } from './restoreJobType.js';
import { restoreJobLookup, RestoreJobTable, type RestoreJobRow } from './restoreJobView.js';
import { restoreSubscriptions } from './restoreSubscriptions.js';
import { restoreTarget, startRestore, type RestoreTools } from './startRestore.js';

export type RestoreDependencies = RestoreTools & JobSubscriptionDependencies;

export function restoreResolvers(tools: RestoreDependencies): readonly object[] {
  return [
    new RestoreJobResolver(tools),
    new RestoreJobFieldsResolver(tools),
    new BackupRestoresResolver(tools),
    restoreSubscriptions(tools),
  ];
}

@Resolver()
export class RestoreJobResolver {
  constructor(private readonly tools: RestoreDependencies) {}

  @Query(() => RestoreJobType, { nullable: true })
  @Requires('VIEWER')
  async restoreJob(@Arg('id', () => ID) id: string, @Ctx() context: RequestContext): Promise<RestoreJobType | null> {
    const row = await visibleRow(context, this.tools.dataSource.manager, restoreJobLookup, id);
    return row && new RestoreJobType(row);
  }

  @Query(() => RestoreJobConnection, { description: 'Newest first.' })
  @Requires('VIEWER')
  restoreJobs(
    @Arg('projectId', () => ID, { nullable: true }) projectId: string | null | undefined,
    @Arg('serviceId', () => ID, { nullable: true, description: 'The target.' }) serviceId: string | null | undefined,
    @Arg('backupJobId', () => ID, { nullable: true }) backupJobId: string | null | undefined,
    @Arg('status', () => [RestoreStatusEnum], { nullable: true })
    status: RestoreJobRow['status'][] | null | undefined,
    @Args(() => PageArguments) page: PageArguments,
    @Ctx() context: RequestContext,
  ): Promise<Page<RestoreJobType>> {
    new InputProblems()
      .check('projectId', projectId, uuid)
      .check('serviceId', serviceId, uuid)
      .check('backupJobId', backupJobId, uuid)
      .throwIfAny();
    return selectRestoreJobs(this.tools.dataSource.manager, page, [
      visibleRows(context.viewer, projectId, 'row.target_service_id'),
      serviceId ? ['row.target_service_id = :serviceId', { serviceId }] : undefined,
      backupJobId ? ['row.backup_job_id = :backupJobId', { backupJobId }] : undefined,
      status ? ['row.status = ANY(:status)', { status }] : undefined,
    ]);
  }

  @Mutation(() => RestoreJobType, {
    description: 'AS_NEW into another service of the project, under the same names. The backup must be STORED.',
  })
  @Requires('OPERATOR')
  async startRestore(
    @Arg('input', () => StartRestoreInput) input: StartRestoreInput,
    @Arg('commandId', () => ID, { nullable: true }) commandId: string | null | undefined,
    @Call() call: OperationCall,
  ): Promise<RestoreJobType> {
    const { manager } = this.tools.dataSource;
    const backup = await authorizedRow(call, manager, backupJobLookup, input.backupJobId);
    new InputProblems()
      .check('input.target.asNew.serviceId', input.target.asNew?.serviceId, uuid)
      .check('commandId', commandId, uuid)
      .throwIfAny();
    const targetServiceId = await this.authorizedTarget(call, restoreTarget(input, backup.serviceId));
    const { projectId } = backup;
    const request = commandRequest(call.context, { operation: 'startRestore', projectId, input, commandId });
    const restore = { backup, targetServiceId, requestedBy: request.subject };
    return this.answer(await startRestore(this.tools, request, restore));
  }

  @Mutation(() => RestoreJobType, {
    description:
      'A QUEUED job ends at once, and a RUNNING job as soon as its worker has stopped the restore. The target may hold a part of the data.',
  })
  @Requires('OPERATOR')
  async cancelRestoreJob(
    @Args(() => EntityArguments) job: EntityArguments,
    @Call() call: OperationCall,
  ): Promise<RestoreJobType> {
    const cancel = (row: RestoreJobRow, request: CommandRequest) =>
      cancelByClient(this.tools, restoreHandling, row, request);
    const { id } = await entityMutation(
      { lookup: restoreJobLookup, manager: this.tools.dataSource.manager },
      call,
      job,
      cancel,
    );
    return this.answer(id);
  }

  @Mutation(() => RestoreJobType)
  @Requires('OPERATOR')
  undoRestore(
    @Arg('id', () => ID) id: string,
    @Arg('confirm', () => String) confirm: string,
    @Arg('commandId', () => ID, { nullable: true }) commandId: string | null | undefined,
    @Call() call: OperationCall,
  ): Promise<RestoreJobType> {
    return entityMutation(
      { lookup: restoreJobLookup, manager: this.tools.dataSource.manager, input: { confirm } },
      call,
      { id, ...(commandId === undefined ? {} : { commandId }) },
      () => Promise.reject(notYetAvailable('Undoing a restore is not built yet. It belongs to restoring in place.')),
    ).then(({ id: restored }) => this.answer(restored));
  }

  /** The id of the target. A service that the caller may not see is replaced by one that does not exist. */
  private async authorizedTarget(call: OperationCall, serviceId: string): Promise<string> {
    const service = await visibleRow(call.context, this.tools.dataSource.manager, serviceLookup, serviceId);
    const role = service === null ? undefined : roleAt(call.context.viewer, scopeOfService(service));
    if (role === undefined) return randomUUID();
    demandRole(call, role, 'OPERATOR', service?.projectId);
    return serviceId;
  }

  private async answer(id: string): Promise<RestoreJobType> {
    const row = await rowById(this.tools.dataSource.manager, RestoreJobTable, id);
    if (row === null) throw notFound('restore job');
    return new RestoreJobType(row);
  }
}

@Resolver(() => RestoreJobType)
export class RestoreJobFieldsResolver {
  constructor(private readonly tools: RestoreDependencies) {}

  private readonly services = (ids: readonly string[]) => findServices(this.tools.dataSource.manager, ids);
  private readonly backups = (ids: readonly string[]) => rowsById(this.tools.dataSource.manager, BackupJobTable, ids);

  @FieldResolver(() => BackupJobType, {
    nullable: true,
    description: 'Null: the backup is of another service, for which the viewer has no role.',
  })
  async backup(@Root() { row }: RestoreJobType, @Ctx() context: RequestContext): Promise<BackupJobType | null> {
    const backup = await loadKnown(context, this.backups, row.backupJobId, 'backup job');
    return ifVisible(context, backup, scopeOfBackupJob, (visible) => new BackupJobType(visible));
  }

  @FieldResolver(() => ServiceType)
  async target(@Root() { row }: RestoreJobType, @Ctx() context: RequestContext): Promise<ServiceType> {
    return ServiceType.of(await loadKnown(context, this.services, row.targetServiceId, 'service'));
  }

  @FieldResolver(() => BackupJobType, {
    nullable: true,
    description: 'The backup that was taken before a restore in place, for its undo.',
  })
  safetyBackup(): null {
    return null;
  }

  @FieldResolver(() => RestoreJobType, { nullable: true })
  undoes(): null {
    return null;
  }

  @FieldResolver(() => RestoreJobType, { nullable: true })
  undoneBy(): null {
    return null;
  }
}

@Resolver(() => BackupJobType)
export class BackupRestoresResolver {
  constructor(private readonly tools: RestoreDependencies) {}

  @FieldResolver(() => RestoreJobConnection, {
    description:
      'Newest first. A restore belongs to its target, so restores into services that you may not see are omitted.',
  })
  restores(
    @Root() { id, row }: BackupJobType,
    @Args(() => PageArguments) page: PageArguments,
    @Ctx() { viewer }: RequestContext,
  ): Promise<Page<RestoreJobType>> {
    return selectRestoreJobs(this.tools.dataSource.manager, page, [
      ['row.backup_job_id = :id', { id }],
      visibleInProject(viewer, row.projectId, 'row.target_service_id'),
    ]);
  }
}
