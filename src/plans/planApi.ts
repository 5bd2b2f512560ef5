import { Arg, Args, Ctx, ID, Int, Mutation, Query, Resolver } from 'type-graphql';
import {
  EntityArguments,
  entityMutation,
  VersionedArguments,
  type EntityMutation,
} from '../entities/entityMutation.js';
import { EndpointRights, type EndpointsUsedBy } from '../endpoints/endpointRights.js';
import { notFound } from '../errors.js';
import type { CommandRequest } from '../eventSourcing/commandHandling.js';
import { schedulePreview } from '../scheduler/cron/schedulePreview.js';
import { Call } from '../server/call.js';
import { commandRequest } from '../server/commandRequest.js';
import { InputProblems, uuid } from '../server/inputValidation.js';
import { authorizedRow, visibleRow } from '../server/lookup.js';
import { PageArguments, type Page } from '../server/page.js';
import type { RequestContext } from '../server/requestContext.js';
import { Requires, type OperationCall } from '../server/requires.js';
import { visibleRows } from '../server/visibleRows.js';
import { serviceLookup } from '../services/serviceView.js';
import { BackupPlanTable, planLookup, type BackupPlanRow } from './backupPlanView.js';
import { createBackupPlan, removeBackupPlan, setPaused, updateBackupPlan, type PlanTools } from './planCommands.js';
import { BackupPlanFieldsResolver, ServicePlansResolver } from './planFieldsApi.js';
import { BackupPlanInput, BackupPlanPatch } from './planInput.js';
import { selectPlans } from './planPages.js';
import { foreignEndpoints } from './planQueries.js';
import { mostEndpoints, newContent, patchedContent } from './planRules.js';
import { BackupPlanConnection, BackupPlanType, SchedulePreviewType } from './planType.js';
import { RetentionPreviewResolver, type RetentionPreviewDependencies } from './retentionPreviewApi.js';

export type PlanDependencies = PlanTools &
  RetentionPreviewDependencies & {
    readonly endpointsUsedBy: EndpointsUsedBy;
    /**
     * The median duration of the plan's last successes. Undefined: there is no success yet. The slice of jobs computes
     * it.
     */
    readonly usualDurationMs: (planId: string) => Promise<number | undefined>;
  };

export function planResolvers(tools: PlanDependencies): readonly object[] {
  return [
    new BackupPlanResolver(tools),
    new BackupPlanFieldsResolver(tools),
    new ServicePlansResolver(tools),
    new RetentionPreviewResolver(tools),
  ];
}

@Resolver()
export class BackupPlanResolver {
  private readonly rights: EndpointRights;

  constructor(private readonly tools: PlanDependencies) {
    this.rights = new EndpointRights(tools.endpointsUsedBy);
  }

  @Query(() => BackupPlanType, { nullable: true })
  @Requires('VIEWER')
  async backupPlan(@Arg('id', () => ID) id: string, @Ctx() context: RequestContext): Promise<BackupPlanType | null> {
    const row = await visibleRow(context, this.tools.dataSource.manager, planLookup, id);
    return row && new BackupPlanType(row);
  }

  @Query(() => BackupPlanConnection, { description: 'Newest first, without removed plans.' })
  @Requires('VIEWER')
  backupPlans(
    @Arg('projectId', () => ID, { nullable: true }) projectId: string | null | undefined,
    @Arg('serviceId', () => ID, { nullable: true }) serviceId: string | null | undefined,
    @Args(() => PageArguments) page: PageArguments,
    @Ctx() context: RequestContext,
  ): Promise<Page<BackupPlanType>> {
    new InputProblems().check('projectId', projectId, uuid).check('serviceId', serviceId, uuid).throwIfAny();
    return selectPlans(this.tools.dataSource, page, [
      visibleRows(context.viewer, projectId, 'row.service_id'),
      serviceId ? ['row.service_id = :serviceId', { serviceId }] : undefined,
    ]);
  }

  @Query(() => SchedulePreviewType, { description: 'Shows the runs of a frequency before a plan uses it.' })
  @Requires('SIGNED_IN')
  async schedulePreview(
    @Arg('frequency', () => String) frequency: string,
    @Arg('timeZone', () => String, { defaultValue: 'UTC' }) timeZone: string,
    @Arg('count', () => Int, { defaultValue: 5, description: '1 to 100.' }) count: number,
    @Arg('planId', () => ID, {
      nullable: true,
      description: "Adds notes about the usual duration of the plan's backups.",
    })
    planId: string | null | undefined,
    @Ctx() context: RequestContext,
  ): Promise<SchedulePreviewType> {
    const plan = planId ? await visibleRow(context, this.tools.dataSource.manager, planLookup, planId) : null;
    if (planId && plan === null) throw notFound('backup plan');
    const usualDurationMs = plan === null ? undefined : await this.tools.usualDurationMs(plan.id);
    const { minIntervalMs, now } = this.tools;
    const input = { frequency, timeZone, count, now: now(), minIntervalMs };
    return schedulePreview(usualDurationMs === undefined ? input : { ...input, usualDurationMs });
  }

  @Mutation(() => BackupPlanType)
  @Requires('ADMIN')
  async createBackupPlan(
    @Arg('input', () => BackupPlanInput) input: BackupPlanInput,
    @Arg('commandId', () => ID, { nullable: true }) commandId: string | null | undefined,
    @Call() call: OperationCall,
  ): Promise<BackupPlanType> {
    const service = await authorizedRow(call, this.tools.dataSource.manager, serviceLookup, input.serviceId);
    const { projectId } = service;

    const problems = new InputProblems().check('commandId', commandId, uuid);
    const fileEndpointIds = await this.seenEndpoints(call.context, projectId, input.fileEndpointIds);
    const content = newContent(problems, Object.assign({}, input, { fileEndpointIds }), this.rules());
    await this.throwProblems(problems, projectId, fileEndpointIds);
    if (content === undefined) throw new Error('The input has a problem that was not reported.');
    const request = commandRequest(call.context, { operation: 'createBackupPlan', projectId, input, commandId });
    const { paused } = input;
    return this.answer(await createBackupPlan(this.tools, request, { service, content, paused }));
  }

  @Mutation(() => BackupPlanType)
  @Requires('ADMIN')
  async updateBackupPlan(
    @Args(() => VersionedArguments) { id, expectedVersion, commandId }: VersionedArguments,
    @Arg('input', () => BackupPlanPatch) patch: BackupPlanPatch,
    @Call() call: OperationCall,
  ): Promise<BackupPlanType> {
    const row = await authorizedRow(call, this.tools.dataSource.manager, planLookup, id);
    const problems = new InputProblems().check('commandId', commandId, uuid);
    const { projectId } = row;
    const fileEndpointIds = await this.seenEndpoints(call.context, projectId, patch.fileEndpointIds ?? []);
    const seen = patch.fileEndpointIds ? Object.assign({}, patch, { fileEndpointIds }) : patch;
    const content = patchedContent(problems, seen, row, this.rules());
    await this.throwProblems(problems, projectId, fileEndpointIds);

    const input = { id: row.id, input: patch, expectedVersion };
    const request = commandRequest(call.context, { operation: 'updateBackupPlan', projectId, input, commandId });
    const paused = patch.paused === null ? false : patch.paused;
    const change = { content, paused, expectedVersion: expectedVersion ?? undefined };
    await updateBackupPlan(this.tools, request, row, change);
    return this.answer(row.id);
  }

  @Mutation(() => BackupPlanType, { description: 'The plan does not run until it is resumed. Idempotent.' })
  @Requires('ADMIN')
  pauseBackupPlan(
    @Args(() => EntityArguments) plan: EntityArguments,
    @Call() call: OperationCall,
  ): Promise<BackupPlanType> {
    return this.setPaused(call, plan, true);
  }

  @Mutation(() => BackupPlanType, {
    description: 'The plan runs again from its next tick on. Ticks during the pause are not run later.',
  })
  @Requires('ADMIN')
  resumeBackupPlan(
    @Args(() => EntityArguments) plan: EntityArguments,
    @Call() call: OperationCall,
  ): Promise<BackupPlanType> {
    return this.setPaused(call, plan, false);
  }

  @Mutation(() => BackupPlanType, {
    description: 'The backups of the plan stay listed until they are deleted by hand.',
  })
  @Requires('ADMIN')
  removeBackupPlan(
    @Args(() => VersionedArguments) plan: VersionedArguments,
    @Call() call: OperationCall,
  ): Promise<BackupPlanType> {
    const { expectedVersion } = plan;
    return this.change(call, plan, { input: { expectedVersion } }, (row, request) =>
      removeBackupPlan(this.tools, request, row, expectedVersion ?? undefined),
    );
  }

  private setPaused(call: OperationCall, plan: EntityArguments, paused: boolean): Promise<BackupPlanType> {
    return this.change(call, plan, {}, (row, request) => setPaused(this.tools, request, row, paused));
  }

  private async change(
    call: OperationCall,
    plan: EntityArguments,
    options: Omit<EntityMutation<BackupPlanRow>, 'lookup' | 'manager'>,
    work: (row: BackupPlanRow, request: CommandRequest) => Promise<void>,
  ): Promise<BackupPlanType> {
    const { manager } = this.tools.dataSource;
    const { id } = await entityMutation({ lookup: planLookup, manager, ...options }, call, plan, work);
    return this.answer(id);
  }

  /**
   * Throws all problems at once, including those of the file endpoints. If there are no other problems, the command
   * checks the endpoints.
   */
  private async throwProblems(
    problems: InputProblems,
    projectId: string,
    fileEndpointIds: readonly string[],
  ): Promise<void> {
    if (problems.fields.length === 0) return;
    const { manager } = this.tools.dataSource;
    const ids = fileEndpointIds.slice(0, mostEndpoints).map((id) => id.toLowerCase());
    for (const { path, problem, hint } of await foreignEndpoints(manager, projectId, ids))
      problems.add(path, problem, hint);
    problems.throwIfAny();
  }

  private seenEndpoints(context: RequestContext, projectId: string, ids: readonly string[]): Promise<string[]> {
    // The rules refuse a longer list.
    if (ids.length > mostEndpoints) return Promise.resolve([...ids]);
    return this.rights.withoutUnseen(this.tools.dataSource.manager, context, projectId, ids);
  }

  private rules() {
    return { minIntervalMs: this.tools.minIntervalMs, now: this.tools.now() };
  }

  private async answer(id: string): Promise<BackupPlanType> {
    return new BackupPlanType(await this.tools.dataSource.manager.findOneByOrFail(BackupPlanTable, { id }));
  }
}
