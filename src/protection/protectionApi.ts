import { Arg, Args, Ctx, FieldResolver, Int, Resolver, Root } from 'type-graphql';
import type { DataSource, ObjectLiteral } from 'typeorm';
import { findFileEndpoints } from '../endpoints/fileEndpointQueries.js';
import { FileEndpointType } from '../endpoints/fileEndpointType.js';
import type { BackupPlanRow } from '../plans/backupPlanView.js';
import { BackupPlanType } from '../plans/planType.js';
import { ProjectType } from '../projects/projectType.js';
import { InputProblems } from '../server/inputValidation.js';
import { PageArguments, type Page } from '../server/page.js';
import type { RequestContext } from '../server/requestContext.js';
import { BigIntScalar } from '../server/scalars/bigInt.js';
import { Statistics } from '../server/statistics.js';
import { ServiceType } from '../services/serviceType.js';
import type { ServiceRow } from '../services/serviceView.js';
import { rowsById } from '../server/rowsById.js';
import { BackupJobTable } from '../backups/backupJobView.js';
import { checkFilter } from '../backups/api/backupJobFilter.js';
import { BackupJobFilter, BackupJobOrder } from '../backups/api/backupJobInput.js';
import { selectBackupJobs } from '../backups/api/backupJobQueries.js';
import { BackupJobConnection, BackupJobType } from '../backups/api/backupJobType.js';
import {
  destinationFacts,
  holdingsOf,
  newestStoredOf,
  type DestinationKey,
  type HoldingsKey,
} from './destinationQueries.js';
import {
  countProtections,
  protectionsOfPlans,
  protectionsOfServices,
  type CountedServices,
  type KnownProtection,
} from './protectionQueries.js';
import { PlanDestinationType, ProtectionCountType, ProtectionType } from './protectionType.js';

/** Fields about backups for services, plans, file endpoints and projects. */

export type ProtectionDependencies = { readonly dataSource: DataSource; readonly now: () => Date };

export function protectionResolvers(tools: ProtectionDependencies): readonly object[] {
  const jobs = new JobsById(tools);
  return [
    new ServiceBackupsResolver(tools, jobs),
    new PlanBackupsResolver(tools, jobs),
    new PlanDestinationResolver(tools, jobs),
    new FileEndpointBackupsResolver(tools),
    new ProjectProtectionResolver(tools),
  ];
}

class JobsById {
  constructor(private readonly tools: ProtectionDependencies) {}

  private readonly batch = (ids: readonly string[]) => rowsById(this.tools.dataSource.manager, BackupJobTable, ids);

  async load(id: string | null, context: RequestContext): Promise<BackupJobType | null> {
    const row = id === null ? null : await context.loaders.of(this.batch).load(id);
    return row === null ? null : new BackupJobType(row);
  }

  async protection(known: KnownProtection, context: RequestContext): Promise<ProtectionType> {
    const [latest, lastSuccess] = await Promise.all([
      this.load(known.latestId, context),
      this.load(known.lastSuccessId, context),
    ]);
    const { status, dataAsOf, dueBy, consecutiveFailures } = known;
    return { status, dataAsOf, dueBy, consecutiveFailures, latest, lastSuccess };
  }
}

@Resolver(() => ServiceType)
export class ServiceBackupsResolver {
  constructor(
    private readonly tools: ProtectionDependencies,
    private readonly byId: JobsById,
  ) {}

  private readonly protections = (services: readonly ServiceRow[]) =>
    protectionsOfServices(this.tools.dataSource.manager, services, this.tools.now());
  private readonly newest = (ids: readonly string[]) => newestStoredOf(this.tools.dataSource.manager, ids);

  @FieldResolver(() => ProtectionType)
  async protection(@Root() { row }: ServiceType, @Ctx() context: RequestContext): Promise<ProtectionType> {
    return this.byId.protection(await context.loaders.of(this.protections).load(row), context);
  }

  @FieldResolver(() => BackupJobType, { nullable: true, description: 'The newest STORED backup.' })
  async lastSuccessfulBackup(@Root() { id }: ServiceType, @Ctx() context: RequestContext) {
    return this.byId.load(await context.loaders.of(this.newest).load(id), context);
  }

  @FieldResolver(() => BackupJobConnection, { description: 'Newest first without orderBy.' })
  jobs(
    @Root() { id }: ServiceType,
    @Args(() => PageArguments) page: PageArguments,
    @Arg('filter', () => BackupJobFilter, { nullable: true }) filter: BackupJobFilter | null | undefined,
    @Arg('orderBy', () => BackupJobOrder, { nullable: true }) order: BackupJobOrder | null | undefined,
  ): Promise<Page<BackupJobType>> {
    return jobsWithin(this.tools.dataSource, page, ['row.service_id = :ownerId', { ownerId: id }], filter, order);
  }
}

@Resolver(() => BackupPlanType)
export class PlanBackupsResolver {
  constructor(
    private readonly tools: ProtectionDependencies,
    private readonly byId: JobsById,
  ) {}

  private readonly protections = (plans: readonly BackupPlanRow[]) =>
    protectionsOfPlans(this.tools.dataSource.manager, plans, this.tools.now());
  private readonly endpoints = (ids: readonly string[]) => findFileEndpoints(this.tools.dataSource.manager, ids);

  @FieldResolver(() => ProtectionType, { description: 'Computed from the backups of this plan only.' })
  async protection(@Root() { row }: BackupPlanType, @Ctx() context: RequestContext): Promise<ProtectionType> {
    return this.byId.protection(await context.loaders.of(this.protections).load(row), context);
  }

  @FieldResolver(() => [PlanDestinationType], { description: "In the plan's order." })
  async destinations(@Root() { row }: BackupPlanType, @Ctx() context: RequestContext): Promise<PlanDestinationType[]> {
    const rows = await Promise.all(row.fileEndpointIds.map((id) => context.loaders.of(this.endpoints).load(id)));
    return rows.flatMap((each) => (each === null ? [] : [{ planId: row.id, fileEndpoint: FileEndpointType.of(each) }]));
  }

  @FieldResolver(() => BackupJobConnection, { description: 'Newest first without orderBy.' })
  jobs(
    @Root() { id }: BackupPlanType,
    @Args(() => PageArguments) page: PageArguments,
    @Arg('filter', () => BackupJobFilter, { nullable: true }) filter: BackupJobFilter | null | undefined,
    @Arg('orderBy', () => BackupJobOrder, { nullable: true }) order: BackupJobOrder | null | undefined,
  ): Promise<Page<BackupJobType>> {
    return jobsWithin(this.tools.dataSource, page, ['row.plan_id = :ownerId', { ownerId: id }], filter, order);
  }
}

@Resolver(() => PlanDestinationType)
export class PlanDestinationResolver {
  constructor(
    private readonly tools: ProtectionDependencies,
    private readonly byId: JobsById,
  ) {}

  private readonly batch = (keys: readonly DestinationKey[]) => destinationFacts(this.tools.dataSource.manager, keys);
  /** All fields of a destination use the same key object, so that a loader reads each destination once. */
  private readonly keys = new WeakMap<PlanDestinationType, DestinationKey>();

  @FieldResolver(() => BackupJobType, { nullable: true })
  async latest(@Root() destination: PlanDestinationType, @Ctx() context: RequestContext) {
    return this.byId.load((await this.facts(destination, context)).latestId, context);
  }

  @FieldResolver(() => BackupJobType, { nullable: true })
  async lastSuccess(@Root() destination: PlanDestinationType, @Ctx() context: RequestContext) {
    return this.byId.load((await this.facts(destination, context)).lastSuccessId, context);
  }

  @FieldResolver(() => Int, { description: 'The number of STORED backups.' })
  @Statistics()
  async kept(@Root() destination: PlanDestinationType, @Ctx() context: RequestContext): Promise<number> {
    return (await this.facts(destination, context)).kept;
  }

  @FieldResolver(() => BigIntScalar, { description: 'The bytes of the STORED backups.' })
  @Statistics()
  async storedSize(@Root() destination: PlanDestinationType, @Ctx() context: RequestContext): Promise<number> {
    return (await this.facts(destination, context)).storedSizeBytes;
  }

  private facts(destination: PlanDestinationType, context: RequestContext) {
    const key = this.keys.get(destination) ?? {
      planId: destination.planId,
      fileEndpointId: destination.fileEndpoint.id,
    };
    this.keys.set(destination, key);
    return context.loaders.of(this.batch).load(key);
  }
}

@Resolver(() => FileEndpointType)
export class FileEndpointBackupsResolver {
  constructor(private readonly tools: ProtectionDependencies) {}

  private readonly holdings = (keys: readonly HoldingsKey[]) => holdingsOf(this.tools.dataSource.manager, keys);
  private readonly keys = new WeakMap<FileEndpointType, HoldingsKey>();

  @FieldResolver(() => BigIntScalar, { description: 'The bytes of the listed backups that you may see.' })
  @Statistics()
  async storedSize(@Root() endpoint: FileEndpointType, @Ctx() context: RequestContext): Promise<number> {
    return (await this.holdingsAt(endpoint, context)).storedSizeBytes;
  }

  @FieldResolver(() => Int, { description: 'The number of listed backups that you may see.' })
  @Statistics()
  async backups(@Root() endpoint: FileEndpointType, @Ctx() context: RequestContext): Promise<number> {
    return (await this.holdingsAt(endpoint, context)).backups;
  }

  /** The two fields of an endpoint use the same key object, so that a loader reads its backups once. */
  private holdingsAt(endpoint: FileEndpointType, { viewer, loaders }: RequestContext) {
    const { id: fileEndpointId, projectId } = endpoint.row;
    const serviceIds = viewer.roleIn(projectId) === undefined ? viewer.serviceIds() : undefined;
    const key = this.keys.get(endpoint) ?? { fileEndpointId, serviceIds };
    this.keys.set(endpoint, key);
    return loaders.of(this.holdings).load(key);
  }
}

@Resolver(() => ProjectType)
export class ProjectProtectionResolver {
  constructor(private readonly tools: ProtectionDependencies) {}

  private readonly counts = (counted: readonly CountedServices[]) =>
    countProtections(this.tools.dataSource.manager, counted, this.tools.now());

  @FieldResolver(() => [ProtectionCountType], {
    description: 'The number of services by status, among those that you may see.',
  })
  @Statistics()
  protection(
    @Root() { id: projectId }: ProjectType,
    @Ctx() { viewer, loaders }: RequestContext,
  ): Promise<readonly ProtectionCountType[]> {
    const serviceIds = viewer.roleIn(projectId) === undefined ? viewer.serviceIds() : undefined;
    return loaders.of(this.counts).load({ projectId, serviceIds });
  }
}

function jobsWithin(
  dataSource: DataSource,
  page: PageArguments,
  within: readonly [string, ObjectLiteral],
  filter: BackupJobFilter | null | undefined,
  order: BackupJobOrder | null | undefined,
): Promise<Page<BackupJobType>> {
  checkFilter(new InputProblems(), filter).throwIfAny();
  return selectBackupJobs(dataSource.manager, page, { within: [within], filter, order });
}
