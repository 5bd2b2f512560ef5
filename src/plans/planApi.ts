import type { GraphQLResolveInfo } from 'graphql';
import { Arg, Args, Ctx, ID, Info, Int, Mutation, Query, Resolver } from 'type-graphql';
import type { DataSource } from 'typeorm';
import { notFound } from '../errors.js';
import { schedulePreview } from '../scheduler/cron/schedulePreview.js';
import { commandRequest } from '../server/commandRequest.js';
import { InputProblems, refuseNulls, uuid } from '../server/inputValidation.js';
import type { NodeSource } from '../server/nodeApi.js';
import { PageArguments, type Page } from '../server/page.js';
import type { RequestContext } from '../server/requestContext.js';
import { authorize, canSee, Requires } from '../server/requires.js';
import { visibleProjects } from '../server/selectPage.js';
import { findService } from '../services/serviceQueries.js';
import type { PlanContent } from './backupPlan.js';
import { BackupPlanTable, type BackupPlanRow } from './backupPlanView.js';
import { createBackupPlan, removeBackupPlan, setPaused, updateBackupPlan, type PlanTools } from './planCommands.js';
import { BackupPlanFieldsResolver, ServicePlansResolver } from './planFieldsApi.js';
import { BackupPlanInput, BackupPlanPatch } from './planInput.js';
import { selectPlans } from './planPages.js';
import { findBackupPlan, findBackupPlans, foreignEndpoints } from './planQueries.js';
import { checkedRetention, checkPlanFields, checkSchedule, mostEndpoints, patchedSchedule } from './planRules.js';
import { BackupPlanConnection, BackupPlanType, SchedulePreviewType } from './planType.js';
import { RetentionPreviewResolver, type PlansBackups } from './retentionPreviewApi.js';

export type PlanDependencies = PlanTools & {
  readonly dataSource: DataSource;
  /** The smallest time between two runs of a plan. */
  readonly minIntervalMs: number;
  /** The median of a plan's last successes; undefined while there is none. Known to the slice of jobs. */
  readonly usualDurationMs: (planId: string) => Promise<number | undefined>;
  /** What the slice of jobs knows of a plan's backups. */
  readonly backupsOfPlan: (planId: string, now: Date) => Promise<PlansBackups>;
};

export function planResolvers(with_: PlanDependencies): readonly object[] {
  return [
    new BackupPlanResolver(with_),
    new BackupPlanFieldsResolver(with_),
    new ServicePlansResolver(with_),
    new RetentionPreviewResolver(with_),
  ];
}

export function planNodes(with_: Pick<PlanDependencies, 'dataSource'>): NodeSource {
  const batch = (ids: readonly string[]) => findBackupPlans(with_.dataSource.manager, ids);
  return {
    async find(id, context) {
      const row = await context.loaders.of(batch).load(id);
      return row !== null && canSee(context, row.projectId) ? new BackupPlanType(row) : null;
    },
  };
}

@Resolver()
export class BackupPlanResolver {
  constructor(private readonly with_: PlanDependencies) {}

  @Query(() => BackupPlanType, { nullable: true })
  @Requires('VIEWER')
  async backupPlan(@Arg('id', () => ID) id: string, @Ctx() context: RequestContext): Promise<BackupPlanType | null> {
    const row = await findBackupPlan(this.with_.dataSource.manager, id);
    return row !== null && canSee(context, row.projectId) ? new BackupPlanType(row) : null;
  }

  @Query(() => BackupPlanConnection, { description: 'Newest first, without the removed ones.' })
  @Requires('VIEWER')
  backupPlans(
    @Arg('projectId', () => ID, { nullable: true }) projectId: string | null | undefined,
    @Arg('serviceId', () => ID, { nullable: true }) serviceId: string | null | undefined,
    @Args(() => PageArguments) page: PageArguments,
    @Ctx() context: RequestContext,
  ): Promise<Page<BackupPlanType>> {
    new InputProblems().check('projectId', projectId, uuid).check('serviceId', serviceId, uuid).throwIfAny();
    return selectPlans(this.with_.dataSource, page, [
      visibleProjects(context.viewer.projectIds(), projectId),
      serviceId ? ['row.service_id = :serviceId', { serviceId }] : undefined,
    ]);
  }

  @Query(() => SchedulePreviewType, { description: 'What a frequency will do, before it is saved.' })
  @Requires('SIGNED_IN')
  async schedulePreview(
    @Arg('frequency', () => String) frequency: string,
    @Arg('timeZone', () => String, { defaultValue: 'UTC' }) timeZone: string,
    @Arg('count', () => Int, { defaultValue: 5, description: '1 to 100.' }) count: number,
    @Arg('planId', () => ID, { nullable: true, description: "Adds what its backups' usual duration means." })
    planId: string | null | undefined,
    @Ctx() context: RequestContext,
  ): Promise<SchedulePreviewType> {
    const plan = planId ? await findBackupPlan(this.with_.dataSource.manager, planId) : null;
    if (planId && (plan === null || !canSee(context, plan.projectId))) throw notFound('backup plan');
    const usualDurationMs = plan === null ? undefined : await this.with_.usualDurationMs(plan.id);
    const { minIntervalMs, now } = this.with_;
    const asked = { frequency, timeZone, count, now: now(), minIntervalMs };
    return schedulePreview(usualDurationMs === undefined ? asked : { ...asked, usualDurationMs });
  }

  @Mutation(() => BackupPlanType)
  @Requires('OPERATOR')
  async createBackupPlan(
    @Arg('input', () => BackupPlanInput) input: BackupPlanInput,
    @Arg('commandId', () => ID, { nullable: true }) commandId: string | null | undefined,
    @Ctx() context: RequestContext,
    @Info() info: GraphQLResolveInfo,
  ): Promise<BackupPlanType> {
    const service = await findService(this.with_.dataSource.manager, input.serviceId);
    authorize({ context, info }, service?.projectId, 'service');
    const { projectId } = service;

    const problems = new InputProblems().check('commandId', commandId, uuid);
    checkPlanFields(problems, input);
    const schedule = checkSchedule(problems, { typed: input.frequency, timeZone: input.timeZone }, this.rules());
    const retention = checkedRetention(problems, input.retention);
    await this.throwProblems(problems, projectId, input.fileEndpointIds);
    if (schedule === undefined || retention === undefined) throw new Error('A problem was found and not told.');

    const content: PlanContent = {
      name: input.name,
      fileEndpointIds: input.fileEndpointIds.map((id) => id.toLowerCase()),
      ...schedule,
      retention,
      maxAttempts: input.maxAttempts,
      catchUpWindowMs: input.catchUpWindow ?? null,
      timeoutMs: input.timeout ?? null,
      stallTimeoutMs: input.stallTimeout,
      yieldToLocks: input.yieldToLocks,
    };
    const request = commandRequest(context, { operation: 'createBackupPlan', projectId, input, commandId });
    const { paused } = input;
    return this.answer(await createBackupPlan(this.with_, request, { service, content, paused }));
  }

  @Mutation(() => BackupPlanType)
  @Requires('OPERATOR')
  async updateBackupPlan(
    @Arg('id', () => ID) id: string,
    @Arg('input', () => BackupPlanPatch) patch: BackupPlanPatch,
    @Arg('expectedVersion', () => Int, { nullable: true }) expectedVersion: number | null | undefined,
    @Arg('commandId', () => ID, { nullable: true }) commandId: string | null | undefined,
    @Ctx() context: RequestContext,
    @Info() info: GraphQLResolveInfo,
  ): Promise<BackupPlanType> {
    const row = await this.authorizedPlan(context, info, id);
    const problems = new InputProblems().check('commandId', commandId, uuid);
    refuseNulls(problems, 'input', patch, ['name', 'fileEndpointIds', 'frequency', 'retention']);
    checkPlanFields(problems, patch);
    patchedSchedule(problems, patch, row, this.rules());
    const retention = patch.retention ? checkedRetention(problems, patch.retention) : undefined;
    const { projectId } = row;
    await this.throwProblems(problems, projectId, patch.fileEndpointIds ?? []);

    const content = (before: PlanContent): PlanContent => {
      // Once more: of frequency and zone, somebody else may have changed the one that is not in the patch.
      const found = new InputProblems();
      const schedule = patchedSchedule(found, patch, before, this.rules());
      found.throwIfAny();
      return {
        ...before,
        ...(typeof patch.name === 'string' ? { name: patch.name } : {}),
        ...(patch.fileEndpointIds ? { fileEndpointIds: patch.fileEndpointIds.map((each) => each.toLowerCase()) } : {}),
        ...schedule,
        ...(retention === undefined ? {} : { retention }),
        ...(patch.maxAttempts === undefined ? {} : { maxAttempts: patch.maxAttempts ?? 3 }),
        ...(patch.catchUpWindow === undefined ? {} : { catchUpWindowMs: patch.catchUpWindow }),
        ...(patch.timeout === undefined ? {} : { timeoutMs: patch.timeout }),
        ...(patch.stallTimeout === undefined ? {} : { stallTimeoutMs: patch.stallTimeout ?? 600_000 }),
        ...(patch.yieldToLocks === undefined ? {} : { yieldToLocks: patch.yieldToLocks ?? true }),
      };
    };
    const input = { id: row.id, input: patch, expectedVersion };
    const request = commandRequest(context, { operation: 'updateBackupPlan', projectId, input, commandId });
    const paused = patch.paused === null ? false : patch.paused;
    await updateBackupPlan(this.with_, request, row, {
      content,
      paused,
      expectedVersion: expectedVersion ?? undefined,
    });
    return this.answer(row.id);
  }

  @Mutation(() => BackupPlanType, { description: 'It does not run until it is resumed. Again: nothing changes.' })
  @Requires('OPERATOR')
  pauseBackupPlan(
    @Arg('id', () => ID) id: string,
    @Arg('commandId', () => ID, { nullable: true }) commandId: string | null | undefined,
    @Ctx() context: RequestContext,
    @Info() info: GraphQLResolveInfo,
  ): Promise<BackupPlanType> {
    return this.setPaused(id, commandId, { context, info }, true);
  }

  @Mutation(() => BackupPlanType, { description: 'It runs again from its next tick on; none is made up for.' })
  @Requires('OPERATOR')
  resumeBackupPlan(
    @Arg('id', () => ID) id: string,
    @Arg('commandId', () => ID, { nullable: true }) commandId: string | null | undefined,
    @Ctx() context: RequestContext,
    @Info() info: GraphQLResolveInfo,
  ): Promise<BackupPlanType> {
    return this.setPaused(id, commandId, { context, info }, false);
  }

  @Mutation(() => BackupPlanType, { description: 'Its backups stay, and are listed, until they are deleted by hand.' })
  @Requires('ADMIN')
  async removeBackupPlan(
    @Arg('id', () => ID) id: string,
    @Arg('expectedVersion', () => Int, { nullable: true }) expectedVersion: number | null | undefined,
    @Arg('commandId', () => ID, { nullable: true }) commandId: string | null | undefined,
    @Ctx() context: RequestContext,
    @Info() info: GraphQLResolveInfo,
  ): Promise<BackupPlanType> {
    const row = await this.authorizedPlan(context, info, id);
    new InputProblems().check('commandId', commandId, uuid).throwIfAny();
    const { projectId } = row;
    const input = { id: row.id, expectedVersion };
    const request = commandRequest(context, { operation: 'removeBackupPlan', projectId, input, commandId });
    await removeBackupPlan(this.with_, request, row, expectedVersion ?? undefined);
    return this.answer(row.id);
  }

  private async setPaused(
    id: string,
    commandId: string | null | undefined,
    { context, info }: { context: RequestContext; info: GraphQLResolveInfo },
    paused: boolean,
  ): Promise<BackupPlanType> {
    const row = await this.authorizedPlan(context, info, id);
    new InputProblems().check('commandId', commandId, uuid).throwIfAny();
    const { projectId } = row;
    const input = { id: row.id };
    const request = commandRequest(context, { operation: info.fieldName, projectId, input, commandId });
    await setPaused(this.with_, request, row, paused);
    return this.answer(row.id);
  }

  /** Throws every problem at once: where there are others, the endpoints are looked at here, and else in the command. */
  private async throwProblems(
    problems: InputProblems,
    projectId: string,
    fileEndpointIds: readonly string[],
  ): Promise<void> {
    if (problems.fields.length === 0) return;
    const { manager } = this.with_.dataSource;
    const ids = fileEndpointIds.slice(0, mostEndpoints).map((id) => id.toLowerCase());
    for (const { path, problem, hint } of await foreignEndpoints(manager, projectId, ids))
      problems.add(path, problem, hint);
    problems.throwIfAny();
  }

  private rules() {
    return { minIntervalMs: this.with_.minIntervalMs, now: this.with_.now() };
  }

  private async authorizedPlan(context: RequestContext, info: GraphQLResolveInfo, id: string): Promise<BackupPlanRow> {
    const row = await findBackupPlan(this.with_.dataSource.manager, id);
    authorize({ context, info }, row?.projectId, 'backup plan');
    return row;
  }

  private async answer(id: string): Promise<BackupPlanType> {
    return new BackupPlanType(await this.with_.dataSource.manager.findOneByOrFail(BackupPlanTable, { id }));
  }
}
