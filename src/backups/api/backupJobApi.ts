import type { GraphQLResolveInfo } from 'graphql';
import { Arg, Args, Ctx, FieldResolver, ID, Info, Int, Mutation, Query, Resolver, Root } from 'type-graphql';
import type { DataSource } from 'typeorm';
import { findFileEndpoints } from '../../endpoints/fileEndpointQueries.js';
import { FileEndpointType } from '../../endpoints/fileEndpointType.js';
import { notFound } from '../../errors.js';
import { findBackupPlan, findBackupPlans } from '../../plans/planQueries.js';
import { BackupPlanType } from '../../plans/planType.js';
import type { Telemetry } from '../../postgres/contracts/telemetry.js';
import type { Vault } from '../../postgres/contracts/vault.js';
import { findProjects } from '../../projects/projectQueries.js';
import { ProjectType } from '../../projects/projectType.js';
import type { StorageKinds } from '../../storage/storageKinds.js';
import { fieldsAskedOfNodes } from '../../server/askedFields.js';
import { commandRequest } from '../../server/commandRequest.js';
import { InputProblems, uuid } from '../../server/inputValidation.js';
import type { NodeSource } from '../../server/nodeApi.js';
import { PageArguments, type Page } from '../../server/page.js';
import type { RequestContext } from '../../server/requestContext.js';
import { authorize, canSee, Requires } from '../../server/requires.js';
import { DateTime } from '../../server/scalars/dateTime.js';
import { visibleProjects } from '../../server/selectPage.js';
import { findService, findServices } from '../../services/serviceQueries.js';
import { ServiceType } from '../../services/serviceType.js';
import { ProgressType } from '../../jobs/attemptType.js';
import { backupActions } from './backupActions.js';
import { checkFilter } from './backupJobFilter.js';
import { BackupJobFilter, BackupJobOrder, StartBackupInput } from './backupJobInput.js';
import { findBackupJob, findBackupJobs, selectBackupJobs } from './backupJobQueries.js';
import {
  BackupActionEnum,
  BackupJobConnection,
  BackupJobType,
  StartBackupPayload,
  type BackupAction,
} from './backupJobType.js';
import type { BackupJobRow } from '../backupJobView.js';
import { cancelBackup } from '../backupJobCommands.js';
import { deleteBackup } from '../deletion/deleteByHand.js';
import { expectedDeletions } from '../retention/expectedDeletions.js';
import { currentProgress } from '../../jobs/currentProgress.js';
import { retryBackup } from '../retryBackup.js';
import { startBackup, type BackupOrder, type BackupTools } from '../startBackup.js';

export type BackupJobDependencies = BackupTools & {
  readonly dataSource: DataSource;
  readonly telemetry: Pick<Telemetry, 'latest'>;
  readonly vault: Vault;
  readonly storages: StorageKinds;
  /** Aborts what waits for the network when the server stops. */
  readonly stopping: AbortSignal;
};

export function backupJobNodes(with_: Pick<BackupJobDependencies, 'dataSource'>): NodeSource {
  const batch = (ids: readonly string[]) => findBackupJobs(with_.dataSource.manager, ids);
  return {
    async find(id, context) {
      const row = await context.loaders.of(batch).load(id);
      return row !== null && canSee(context, row.projectId) ? new BackupJobType(row) : null;
    },
  };
}

type Call = { readonly context: RequestContext; readonly info: GraphQLResolveInfo };

@Resolver()
export class BackupJobResolver {
  constructor(private readonly with_: BackupJobDependencies) {}

  @Query(() => BackupJobType, { nullable: true })
  @Requires('VIEWER')
  async backupJob(@Arg('id', () => ID) id: string, @Ctx() context: RequestContext): Promise<BackupJobType | null> {
    const row = await findBackupJob(this.with_.dataSource.manager, id);
    return row !== null && canSee(context, row.projectId) ? new BackupJobType(row) : null;
  }

  @Query(() => BackupJobConnection, { description: 'Newest first, unless orderBy says otherwise.' })
  @Requires('VIEWER')
  backupJobs(
    @Arg('projectId', () => ID, { nullable: true }) projectId: string | null | undefined,
    @Arg('filter', () => BackupJobFilter, { nullable: true }) filter: BackupJobFilter | null | undefined,
    @Arg('orderBy', () => BackupJobOrder, { nullable: true }) order: BackupJobOrder | null | undefined,
    @Args(() => PageArguments) page: PageArguments,
    @Ctx() context: RequestContext,
    @Info() info: GraphQLResolveInfo,
  ): Promise<Page<BackupJobType>> {
    checkFilter(new InputProblems().check('projectId', projectId, uuid), filter).throwIfAny();
    const within = [visibleProjects(context.viewer.projectIds(), projectId)];
    const fields = fieldsAskedOfNodes(info);
    return selectBackupJobs(this.with_.dataSource.manager, page, { within, filter, order, fields });
  }

  @Mutation(() => StartBackupPayload, { description: 'By hand: now, besides what the plan does.' })
  @Requires('OPERATOR')
  async startBackup(
    @Arg('input', () => StartBackupInput) input: StartBackupInput,
    @Arg('commandId', () => ID, { nullable: true }) commandId: string | null | undefined,
    @Ctx() context: RequestContext,
    @Info() info: GraphQLResolveInfo,
  ): Promise<StartBackupPayload> {
    const { projectId, of } = await this.ordered(input, { context, info });
    new InputProblems()
      .check('input.service.fileEndpointId', input.service?.fileEndpointId, uuid)
      .check('commandId', commandId, uuid)
      .throwIfAny();
    const request = commandRequest(context, { operation: 'startBackup', projectId, input, commandId });
    const order = { projectId, of, requestedBy: context.viewer.subject };
    const { batchId, jobIds } = await startBackup(this.with_, request, order);
    const rows = await findBackupJobs(this.with_.dataSource.manager, jobIds);
    return { batchId, jobs: rows.flatMap((row) => (row === null ? [] : [new BackupJobType(row)])) };
  }

  @Mutation(() => BackupJobType, {
    description: 'A QUEUED job ends at once; a RUNNING one as soon as its worker has stopped the dump.',
  })
  @Requires('OPERATOR')
  async cancelBackupJob(
    @Arg('id', () => ID) id: string,
    @Arg('commandId', () => ID, { nullable: true }) commandId: string | null | undefined,
    @Ctx() context: RequestContext,
    @Info() info: GraphQLResolveInfo,
  ): Promise<BackupJobType> {
    const row = await this.authorizedJob({ context, info }, id);
    new InputProblems().check('commandId', commandId, uuid).throwIfAny();
    const { commands, queue, signals, now } = this.with_;
    const job = { id: row.id, projectId: row.projectId };
    const request = commandRequest(context, {
      ...{ operation: 'cancelBackupJob', projectId: row.projectId, input: { id: row.id }, commandId },
    });
    const { status } = await commands.handle<{ status: string }>(request, (commit) =>
      commit(async (tx) => ({ status: await cancelBackup(tx, queue, job, context.viewer.subject, now()) })),
    );
    if (status === 'RUNNING') await signals.send('cancel', row.id);
    return this.answer(row.id);
  }

  @Mutation(() => BackupJobType, { description: 'A new job like the one that FAILED or was CANCELLED.' })
  @Requires('OPERATOR')
  async retryBackupJob(
    @Arg('id', () => ID) id: string,
    @Arg('commandId', () => ID, { nullable: true }) commandId: string | null | undefined,
    @Ctx() context: RequestContext,
    @Info() info: GraphQLResolveInfo,
  ): Promise<BackupJobType> {
    const { id: jobId, projectId } = await this.authorizedJob({ context, info }, id);
    new InputProblems().check('commandId', commandId, uuid).throwIfAny();
    const request = commandRequest(context, {
      ...{ operation: 'retryBackupJob', projectId, input: { id: jobId }, commandId },
    });
    const requestedBy = context.viewer.subject;
    return this.answer(await retryBackup(this.with_, request, { jobId, projectId, requestedBy }));
  }

  @Mutation(() => BackupJobType, {
    description:
      'Its record stays. The last good backup of a destination, and one whose stand-in is not seen in the container, goes only with force; a held one not at all. A copy of its manifest alone (COPY with multipart-manifest=get) shares its segments and is unreadable afterwards; Stowage cannot see such copies.',
  })
  @Requires('ADMIN')
  async deleteBackup(
    @Arg('id', () => ID) id: string,
    @Arg('force', () => Boolean, { defaultValue: false }) force: boolean,
    @Arg('expectedVersion', () => Int, { nullable: true }) expectedVersion: number | null | undefined,
    @Arg('commandId', () => ID, { nullable: true }) commandId: string | null | undefined,
    @Ctx() context: RequestContext,
    @Info() info: GraphQLResolveInfo,
  ): Promise<BackupJobType> {
    const row = await this.authorizedJob({ context, info }, id);
    new InputProblems().check('commandId', commandId, uuid).throwIfAny();
    const input = { id: row.id, force, expectedVersion };
    const request = commandRequest(context, { operation: 'deleteBackup', projectId: row.projectId, input, commandId });
    const by = context.viewer.subject;
    await deleteBackup(this.with_, request, row, { force, by, expectedVersion: expectedVersion ?? undefined });
    return this.answer(row.id);
  }

  private async ordered(input: StartBackupInput, call: Call): Promise<Pick<BackupOrder, 'projectId' | 'of'>> {
    const { manager } = this.with_.dataSource;
    if (input.planId !== undefined) {
      const plan = await findBackupPlan(manager, input.planId);
      authorize(call, plan?.projectId, 'backup plan');
      return { projectId: plan.projectId, of: { planId: plan.id } };
    }
    const service = await findService(manager, input.service?.serviceId ?? '');
    authorize(call, service?.projectId, 'service');
    const fileEndpointId = (input.service?.fileEndpointId ?? '').toLowerCase();
    const yieldToLocks = input.service?.yieldToLocks ?? true;
    return { projectId: service.projectId, of: { serviceId: service.id, fileEndpointId, yieldToLocks } };
  }

  private async authorizedJob(call: Call, id: string): Promise<BackupJobRow> {
    const row = await findBackupJob(this.with_.dataSource.manager, id);
    authorize(call, row?.projectId, 'backup job');
    return row;
  }

  private async answer(id: string): Promise<BackupJobType> {
    const row = await findBackupJob(this.with_.dataSource.manager, id);
    if (row === null) throw notFound('backup job');
    return new BackupJobType(row);
  }
}

@Resolver(() => BackupJobType)
export class BackupJobFieldsResolver {
  constructor(private readonly with_: BackupJobDependencies) {}

  private readonly projects = (ids: readonly string[]) => findProjects(this.with_.dataSource.manager, ids);
  private readonly services = (ids: readonly string[]) => findServices(this.with_.dataSource.manager, ids);
  private readonly plans = (ids: readonly string[]) => findBackupPlans(this.with_.dataSource.manager, ids);
  private readonly endpoints = (ids: readonly string[]) => findFileEndpoints(this.with_.dataSource.manager, ids);
  private readonly jobs = (ids: readonly string[]) => findBackupJobs(this.with_.dataSource.manager, ids);
  private readonly progressOf = (jobs: readonly BackupJobRow[]) => currentProgress(this.with_.telemetry, jobs);
  private readonly deletions = (jobs: readonly BackupJobRow[]) =>
    expectedDeletions(this.with_.dataSource.manager, jobs, this.with_.now());

  @FieldResolver(() => ProjectType)
  async project(@Root() { row }: BackupJobType, @Ctx() context: RequestContext): Promise<ProjectType> {
    const project = await context.loaders.of(this.projects).load(row.projectId);
    if (project === null) throw notFound('project');
    return ProjectType.of(project);
  }

  @FieldResolver(() => ServiceType)
  async service(@Root() { row }: BackupJobType, @Ctx() context: RequestContext): Promise<ServiceType> {
    const service = await context.loaders.of(this.services).load(row.serviceId);
    if (service === null) throw notFound('service');
    return ServiceType.of(service);
  }

  @FieldResolver(() => BackupPlanType, { nullable: true })
  async plan(@Root() { row }: BackupJobType, @Ctx() context: RequestContext): Promise<BackupPlanType | null> {
    const plan = row.planId === null ? null : await context.loaders.of(this.plans).load(row.planId);
    return plan === null ? null : new BackupPlanType(plan);
  }

  @FieldResolver(() => FileEndpointType)
  async fileEndpoint(@Root() { row }: BackupJobType, @Ctx() context: RequestContext): Promise<FileEndpointType> {
    const endpoint = await context.loaders.of(this.endpoints).load(row.fileEndpointId);
    if (endpoint === null) throw notFound('file endpoint');
    return FileEndpointType.of(endpoint);
  }

  @FieldResolver(() => BackupJobType, { nullable: true })
  retryOf(@Root() { row }: BackupJobType, @Ctx() context: RequestContext): Promise<BackupJobType | null> {
    return this.job(row.retryOf, context);
  }

  @FieldResolver(() => BackupJobType, { nullable: true, description: 'The job whose running made this one SKIPPED.' })
  skippedFor(@Root() { row }: BackupJobType, @Ctx() context: RequestContext): Promise<BackupJobType | null> {
    return this.job(row.skippedFor, context);
  }

  @FieldResolver(() => ProgressType, {
    nullable: true,
    description: 'Null before the first byte of an attempt, and after the end.',
  })
  progress(@Root() { row }: BackupJobType, @Ctx() context: RequestContext): Promise<ProgressType | null> {
    return context.loaders.of(this.progressOf).load(row);
  }

  @FieldResolver(() => DateTime, {
    nullable: true,
    description:
      'When retention deletes it if the plan goes on as it is and every run succeeds; past: with the next sweep. Null: never, or not to be foreseen.',
  })
  expectedDeletionAt(@Root() { row }: BackupJobType, @Ctx() context: RequestContext): Promise<Date | null> {
    return context.loaders.of(this.deletions).load(row);
  }

  @FieldResolver(() => [BackupActionEnum], { description: 'What role and state allow the viewer now.' })
  viewerActions(@Root() { row }: BackupJobType, @Ctx() context: RequestContext): BackupAction[] {
    return backupActions(row, context.viewer.roleIn(row.projectId));
  }

  private async job(id: string | null, context: RequestContext): Promise<BackupJobType | null> {
    const row = id === null ? null : await context.loaders.of(this.jobs).load(id);
    return row === null ? null : new BackupJobType(row);
  }
}
