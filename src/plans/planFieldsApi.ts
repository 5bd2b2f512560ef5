import { Arg, Args, Ctx, FieldResolver, Int, Resolver, Root } from 'type-graphql';
import type { DataSource } from 'typeorm';
import { findFileEndpoints } from '../endpoints/fileEndpointQueries.js';
import { FileEndpointType } from '../endpoints/fileEndpointType.js';
import { findProjects } from '../projects/projectQueries.js';
import { ProjectType } from '../projects/projectType.js';
import { parseFrequency } from '../scheduler/cron/parseFrequency.js';
import { previousRun } from '../scheduler/cron/previousRun.js';
import { runsBetweenInSteps } from '../scheduler/cron/runsBetween.js';
import { allowedActions, EntityActionEnum, type EntityAction } from '../server/entityActions.js';
import { loadKnown } from '../server/loadKnown.js';
import { InputProblems, integerWithin } from '../server/inputValidation.js';
import { PageArguments, type Page } from '../server/page.js';
import type { RequestContext } from '../server/requestContext.js';
import { roleAt } from '../server/scope.js';
import { DateTime } from '../server/scalars/dateTime.js';
import { Duration } from '../server/scalars/duration.js';
import { findServices } from '../services/serviceQueries.js';
import { ServiceType } from '../services/serviceType.js';
import { scopeOfPlan, type BackupPlanRow } from './backupPlanView.js';
import { defaultCatchUpWindowMs } from './dueTicks.js';
import { selectPlans } from './planPages.js';
import { BackupPlanConnection, BackupPlanType } from './planType.js';

export type PlanFieldDependencies = { readonly dataSource: DataSource; readonly now: () => Date };

@Resolver(() => BackupPlanType)
export class BackupPlanFieldsResolver {
  constructor(private readonly tools: PlanFieldDependencies) {}

  private readonly projects = (ids: readonly string[]) => findProjects(this.tools.dataSource.manager, ids);
  private readonly services = (ids: readonly string[]) => findServices(this.tools.dataSource.manager, ids);
  private readonly endpoints = (ids: readonly string[]) => findFileEndpoints(this.tools.dataSource.manager, ids);

  @FieldResolver(() => ProjectType)
  async project(@Root() { row }: BackupPlanType, @Ctx() context: RequestContext): Promise<ProjectType> {
    return ProjectType.of(await loadKnown(context, this.projects, row.projectId, 'project'));
  }

  @FieldResolver(() => ServiceType)
  async service(@Root() { row }: BackupPlanType, @Ctx() context: RequestContext): Promise<ServiceType> {
    return ServiceType.of(await loadKnown(context, this.services, row.serviceId, 'service'));
  }

  @FieldResolver(() => [FileEndpointType])
  async fileEndpoints(@Root() { row }: BackupPlanType, @Ctx() context: RequestContext): Promise<FileEndpointType[]> {
    const rows = await Promise.all(row.fileEndpointIds.map((id) => context.loaders.of(this.endpoints).load(id)));
    return rows.flatMap((each) => (each === null ? [] : [FileEndpointType.of(each)]));
  }

  @FieldResolver(() => Duration, {
    description:
      'The maximum age of a missed tick for a catch-up run. The default is half the time from the latest tick to the next, at least PT1H.',
  })
  catchUpWindow(@Root() { row }: BackupPlanType, @Ctx() { budget }: RequestContext): number {
    if (row.catchUpWindowMs !== null) return row.catchUpWindowMs;
    const { normalized, timeZone } = row;
    return budget.once(`catchUpWindow ${normalized} ${timeZone}`, () => {
      const frequency = parseFrequency(normalized);
      const now = this.tools.now();
      return defaultCatchUpWindowMs(frequency, timeZone, previousRun(frequency, timeZone, now) ?? now);
    });
  }

  @FieldResolver(() => DateTime, {
    nullable: true,
    description: 'Null if the plan is paused or never runs again.',
  })
  async nextRunAt(@Root() { row }: BackupPlanType, @Ctx() context: RequestContext): Promise<Date | null> {
    const [next = null] = await this.runsOf(row, 1, context, 'BackupPlan.nextRunAt');
    return next;
  }

  @FieldResolver(() => [DateTime])
  nextRuns(
    @Root() { row }: BackupPlanType,
    @Arg('count', () => Int, { defaultValue: 5, description: '1 to 100.' }) count: number,
    @Ctx() context: RequestContext,
  ): Promise<readonly Date[]> {
    new InputProblems().check('count', count, integerWithin(1, 100)).throwIfAny();
    return this.runsOf(row, count, context, 'BackupPlan.nextRuns');
  }

  @FieldResolver(() => [EntityActionEnum], { description: 'The actions that role and state allow the viewer now.' })
  viewerActions(@Root() { row }: BackupPlanType, @Ctx() context: RequestContext): EntityAction[] {
    if (row.removedAt !== null) return [];
    return allowedActions(roleAt(context.viewer, scopeOfPlan(row)), ['UPDATE', 'REMOVE', 'BACK_UP']);
  }

  private async runsOf(
    { normalized, timeZone, paused, removedAt }: BackupPlanRow,
    count: number,
    { budget }: RequestContext,
    field: string,
  ): Promise<readonly Date[]> {
    if (paused || removedAt !== null) return [];
    const now = budget.once('nextRuns', () => this.tools.now());
    return budget.once(`nextRuns ${normalized} ${timeZone} ${count}`, () =>
      budget.run(runsBetweenInSteps(parseFrequency(normalized), timeZone, now, farAway, count), field),
    );
  }
}

/** A time after every run that a client can request. */
const farAway = new Date('9999-12-31T00:00:00Z');

@Resolver(() => ServiceType)
export class ServicePlansResolver {
  constructor(private readonly tools: PlanFieldDependencies) {}

  @FieldResolver(() => BackupPlanConnection, { description: 'Newest first, without removed plans.' })
  plans(@Root() { id }: ServiceType, @Args(() => PageArguments) page: PageArguments): Promise<Page<BackupPlanType>> {
    return selectPlans(this.tools.dataSource, page, [['row.service_id = :id', { id }]]);
  }
}
