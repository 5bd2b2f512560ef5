import type { GraphQLResolveInfo } from 'graphql';
import { Arg, Args, Ctx, FieldResolver, ID, Info, Mutation, Query, Resolver, Root } from 'type-graphql';
import { notFound, notYetAvailable } from '../errors.js';
import { ProgressType } from '../jobs/attemptType.js';
import { findBackupJob, findBackupJobs } from '../backups/api/backupJobQueries.js';
import { BackupJobType } from '../backups/api/backupJobType.js';
import { currentProgress } from '../jobs/currentProgress.js';
import type { WaitingDependencies } from '../backups/api/waitingBackupApi.js';
import { findProjects } from '../projects/projectQueries.js';
import { ProjectType } from '../projects/projectType.js';
import { commandRequest } from '../server/commandRequest.js';
import { InputProblems, uuid } from '../server/inputValidation.js';
import type { NodeSource } from '../server/nodeApi.js';
import { PageArguments, type Page } from '../server/page.js';
import type { RequestContext } from '../server/requestContext.js';
import { authorize, canSee, Requires } from '../server/requires.js';
import { visibleProjects } from '../server/selectPage.js';
import { findServices } from '../services/serviceQueries.js';
import { ServiceType } from '../services/serviceType.js';
import { StartRestoreInput } from './restoreInput.js';
import { cancelRestore } from './restoreJobCommands.js';
import { findRestoreJob, findRestoreJobs, selectRestoreJobs } from './restoreJobQueries.js';
import { RestoreJobConnection, RestoreJobType, RestoreStatusEnum } from './restoreJobType.js';
import type { RestoreJobRow } from './restoreJobView.js';
import { restoreSubscriptions, type RestoreSubscriptionDependencies } from './restoreSubscriptions.js';
import { restoreTarget, startRestore, type RestoreTools } from './startRestore.js';
import { WaitingRestoreJobResolver } from './waitingRestoreApi.js';

export type RestoreDependencies = RestoreTools & RestoreSubscriptionDependencies & WaitingDependencies;

export function restoreResolvers(with_: RestoreDependencies): readonly object[] {
  return [
    new RestoreJobResolver(with_),
    new RestoreJobFieldsResolver(with_),
    new BackupRestoresResolver(with_),
    new WaitingRestoreJobResolver(with_),
    restoreSubscriptions(with_),
  ];
}

export function restoreNodes(with_: Pick<RestoreDependencies, 'dataSource'>): NodeSource {
  const batch = (ids: readonly string[]) => findRestoreJobs(with_.dataSource.manager, ids);
  return {
    async find(id, context) {
      const row = await context.loaders.of(batch).load(id);
      return row !== null && canSee(context, row.projectId) ? new RestoreJobType(row) : null;
    },
  };
}

@Resolver()
export class RestoreJobResolver {
  constructor(private readonly with_: RestoreDependencies) {}

  @Query(() => RestoreJobType, { nullable: true })
  @Requires('VIEWER')
  async restoreJob(@Arg('id', () => ID) id: string, @Ctx() context: RequestContext): Promise<RestoreJobType | null> {
    const row = await findRestoreJob(this.with_.dataSource.manager, id);
    return row !== null && canSee(context, row.projectId) ? new RestoreJobType(row) : null;
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
    return selectRestoreJobs(this.with_.dataSource.manager, page, [
      visibleProjects(context.viewer.projectIds(), projectId),
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
    @Ctx() context: RequestContext,
    @Info() info: GraphQLResolveInfo,
  ): Promise<RestoreJobType> {
    const backup = await findBackupJob(this.with_.dataSource.manager, input.backupJobId);
    authorize({ context, info }, backup?.projectId, 'backup job');
    new InputProblems()
      .check('input.target.asNew.serviceId', input.target.asNew?.serviceId, uuid)
      .check('commandId', commandId, uuid)
      .throwIfAny();
    const targetServiceId = restoreTarget(input, backup.serviceId);
    const { projectId } = backup;
    const request = commandRequest(context, { operation: 'startRestore', projectId, input, commandId });
    const requestedBy = context.viewer.subject;
    return this.answer(await startRestore(this.with_, request, { backup, targetServiceId, requestedBy }));
  }

  @Mutation(() => RestoreJobType, {
    description:
      'A QUEUED job ends at once; a RUNNING one as soon as its worker has stopped. The target may hold a part.',
  })
  @Requires('OPERATOR')
  async cancelRestoreJob(
    @Arg('id', () => ID) id: string,
    @Arg('commandId', () => ID, { nullable: true }) commandId: string | null | undefined,
    @Ctx() context: RequestContext,
    @Info() info: GraphQLResolveInfo,
  ): Promise<RestoreJobType> {
    const row = await findRestoreJob(this.with_.dataSource.manager, id);
    authorize({ context, info }, row?.projectId, 'restore job');
    new InputProblems().check('commandId', commandId, uuid).throwIfAny();
    const { commands, queue, signals, now } = this.with_;
    const job = { id: row.id, projectId: row.projectId };
    const request = commandRequest(context, {
      ...{ operation: 'cancelRestoreJob', projectId: row.projectId, input: { id: row.id }, commandId },
    });
    const { status } = await commands.handle<{ status: string }>(request, (commit) =>
      commit(async (tx) => ({ status: await cancelRestore(tx, queue, job, context.viewer.subject, now()) })),
    );
    if (status === 'RUNNING') await signals.send('cancel', row.id);
    return this.answer(row.id);
  }

  @Mutation(() => RestoreJobType)
  @Requires('OPERATOR')
  undoRestore(
    @Arg('id', () => ID) _id: string,
    @Arg('confirm', () => String) _confirm: string,
    @Arg('commandId', () => ID, { nullable: true }) _commandId: string | null | undefined,
  ): RestoreJobType {
    throw notYetAvailable('Undoing a restore comes with restoring in place, which is not built yet.');
  }

  private async answer(id: string): Promise<RestoreJobType> {
    const row = await findRestoreJob(this.with_.dataSource.manager, id);
    if (row === null) throw notFound('restore job');
    return new RestoreJobType(row);
  }
}

@Resolver(() => RestoreJobType)
export class RestoreJobFieldsResolver {
  constructor(private readonly with_: RestoreDependencies) {}

  private readonly projects = (ids: readonly string[]) => findProjects(this.with_.dataSource.manager, ids);
  private readonly services = (ids: readonly string[]) => findServices(this.with_.dataSource.manager, ids);
  private readonly backups = (ids: readonly string[]) => findBackupJobs(this.with_.dataSource.manager, ids);
  private readonly progressOf = (jobs: readonly RestoreJobRow[]) => currentProgress(this.with_.telemetry, jobs);

  @FieldResolver(() => ProjectType)
  async project(@Root() { row }: RestoreJobType, @Ctx() context: RequestContext): Promise<ProjectType> {
    const project = await context.loaders.of(this.projects).load(row.projectId);
    if (project === null) throw notFound('project');
    return ProjectType.of(project);
  }

  @FieldResolver(() => BackupJobType)
  async backup(@Root() { row }: RestoreJobType, @Ctx() context: RequestContext): Promise<BackupJobType> {
    const backup = await context.loaders.of(this.backups).load(row.backupJobId);
    if (backup === null) throw notFound('backup job');
    return new BackupJobType(backup);
  }

  @FieldResolver(() => ServiceType)
  async target(@Root() { row }: RestoreJobType, @Ctx() context: RequestContext): Promise<ServiceType> {
    const service = await context.loaders.of(this.services).load(row.targetServiceId);
    if (service === null) throw notFound('service');
    return ServiceType.of(service);
  }

  @FieldResolver(() => ProgressType, {
    nullable: true,
    description: 'Null before the first byte of an attempt, and after the end.',
  })
  progress(@Root() { row }: RestoreJobType, @Ctx() context: RequestContext): Promise<ProgressType | null> {
    return context.loaders.of(this.progressOf).load(row);
  }

  @FieldResolver(() => BackupJobType, { nullable: true, description: 'Taken before a restore in place: its undo.' })
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
  constructor(private readonly with_: RestoreDependencies) {}

  @FieldResolver(() => RestoreJobConnection, { description: 'Newest first.' })
  restores(
    @Root() { id }: BackupJobType,
    @Args(() => PageArguments) page: PageArguments,
  ): Promise<Page<RestoreJobType>> {
    return selectRestoreJobs(this.with_.dataSource.manager, page, [['row.backup_job_id = :id', { id }]]);
  }
}
