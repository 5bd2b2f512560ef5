import type { GraphQLResolveInfo } from 'graphql';
import { Arg, Args, Ctx, FieldResolver, ID, Info, Query, Resolver, Root } from 'type-graphql';
import type { DataSource } from 'typeorm';
import { findFileEndpoints } from '../../endpoints/fileEndpointQueries.js';
import { FileEndpointType } from '../../endpoints/fileEndpointType.js';
import { findBackupPlans } from '../../plans/planQueries.js';
import { BackupPlanType } from '../../plans/planType.js';
import { fieldsAskedOfNodes } from '../../server/askedFields.js';
import { loadKnown } from '../../server/loadKnown.js';
import { InputProblems, uuid } from '../../server/inputValidation.js';
import { visibleRow } from '../../server/lookup.js';
import { PageArguments, pageRequest, type Page } from '../../server/page.js';
import type { RequestContext } from '../../server/requestContext.js';
import { Requires } from '../../server/requires.js';
import { rowsById } from '../../server/rowsById.js';
import { DateTime } from '../../server/scalars/dateTime.js';
import { JsonScalar } from '../../server/scalars/json.js';
import { roleAt } from '../../server/scope.js';
import { visibleRows } from '../../server/visibleRows.js';
import { findServices } from '../../services/serviceQueries.js';
import { ServiceType } from '../../services/serviceType.js';
import { backupJobLookup, BackupJobTable, scopeOfBackupJob, type BackupJobRow } from '../backupJobView.js';
import { expectedDeletions } from '../retention/expectedDeletions.js';
import { backupActions } from './backupActions.js';
import { checkFilter } from './backupJobFilter.js';
import { BackupAccountsType } from './backupAccountsType.js';
import { BackupChangesType } from './backupChangesType.js';
import { BackupJobFilter, BackupJobOrder } from './backupJobInput.js';
import {
  findAccounts,
  findInventories,
  findInventory,
  findInventorySummaries,
  selectBackupJobs,
} from './backupJobQueries.js';
import {
  BackupActionEnum,
  BackupJobConnection,
  BackupJobType,
  InventorySummaryType,
  type BackupAction,
} from './backupJobType.js';
import { selectInventoryObjects } from './inventoryObjects.js';
import { InventoryObjectConnection, type InventoryObjectType } from './inventoryObjectType.js';

export type BackupJobDependencies = { readonly dataSource: DataSource; readonly now: () => Date };

@Resolver()
export class BackupJobResolver {
  constructor(private readonly tools: BackupJobDependencies) {}

  @Query(() => BackupJobType, { nullable: true })
  @Requires('VIEWER')
  async backupJob(@Arg('id', () => ID) id: string, @Ctx() context: RequestContext): Promise<BackupJobType | null> {
    const row = await visibleRow(context, this.tools.dataSource.manager, backupJobLookup, id);
    return row && new BackupJobType(row);
  }

  @Query(() => BackupJobConnection, { description: 'Newest first, unless orderBy sets another order.' })
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
    const within = [visibleRows(context.viewer, projectId, 'row.service_id')];
    const fields = fieldsAskedOfNodes(info);
    return selectBackupJobs(this.tools.dataSource.manager, page, { within, filter, order, fields });
  }
}

@Resolver(() => BackupJobType)
export class BackupJobFieldsResolver {
  constructor(private readonly tools: BackupJobDependencies) {}

  private readonly services = (ids: readonly string[]) => findServices(this.tools.dataSource.manager, ids);
  private readonly plans = (ids: readonly string[]) => findBackupPlans(this.tools.dataSource.manager, ids);
  private readonly endpoints = (ids: readonly string[]) => findFileEndpoints(this.tools.dataSource.manager, ids);
  private readonly jobs = (ids: readonly string[]) => rowsById(this.tools.dataSource.manager, BackupJobTable, ids);
  private readonly inventories = (ids: readonly string[]) => findInventories(this.tools.dataSource.manager, ids);
  private readonly accountsOf = (ids: readonly string[]) => findAccounts(this.tools.dataSource.manager, ids);
  private readonly summaries = (ids: readonly string[]) => findInventorySummaries(this.tools.dataSource.manager, ids);
  private readonly deletions = (jobs: readonly BackupJobRow[]) =>
    expectedDeletions(this.tools.dataSource.manager, jobs, this.tools.now());

  @FieldResolver(() => ServiceType)
  async service(@Root() { row }: BackupJobType, @Ctx() context: RequestContext): Promise<ServiceType> {
    return ServiceType.of(await loadKnown(context, this.services, row.serviceId, 'service'));
  }

  @FieldResolver(() => BackupPlanType, { nullable: true })
  async plan(@Root() { row }: BackupJobType, @Ctx() context: RequestContext): Promise<BackupPlanType | null> {
    const plan = row.planId === null ? null : await context.loaders.of(this.plans).load(row.planId);
    return plan === null ? null : new BackupPlanType(plan);
  }

  @FieldResolver(() => FileEndpointType)
  async fileEndpoint(@Root() { row }: BackupJobType, @Ctx() context: RequestContext): Promise<FileEndpointType> {
    return FileEndpointType.of(await loadKnown(context, this.endpoints, row.fileEndpointId, 'file endpoint'));
  }

  @FieldResolver(() => BackupJobType, { nullable: true })
  retryOf(@Root() { row }: BackupJobType, @Ctx() context: RequestContext): Promise<BackupJobType | null> {
    return this.job(row.retryOf, context);
  }

  @FieldResolver(() => BackupJobType, {
    nullable: true,
    description: 'This job was SKIPPED because of this active job.',
  })
  skippedFor(@Root() { row }: BackupJobType, @Ctx() context: RequestContext): Promise<BackupJobType | null> {
    return this.job(row.skippedFor, context);
  }

  @FieldResolver(() => DateTime, {
    nullable: true,
    description:
      'When retention deletes it, if the plan does not change and every run succeeds. If the time is in the past, the next sweep deletes it. Null: never, or unknown.',
  })
  expectedDeletionAt(@Root() { row }: BackupJobType, @Ctx() context: RequestContext): Promise<Date | null> {
    return context.loaders.of(this.deletions).load(row);
  }

  /**
   * May contain thousands of tables, so it is read only when a query selects it. For a list, the first megabyte is read
   * at once. The other inventories are read one after the other, until the answer is full.
   */
  @FieldResolver(() => JsonScalar, {
    nullable: true,
    description:
      'Databases, tables with row counts, routines and the like. An inventory of more than 8 MiB is TOO_COMPLEX: read it in pages (`inventoryObjects`), or from the backup.json of the backup.',
  })
  async inventory(@Root() { id }: BackupJobType, @Ctx() { loaders, budget }: RequestContext): Promise<unknown> {
    const { inventory, bytes } = await loaders.of(this.inventories).load(id);
    if (inventory !== null || bytes === 0) return inventory;
    return budget.once(`inventory ${id}`, () =>
      budget.oneByOne(async () => {
        const most = budget.mostValueBytes;
        const large = await findInventory(this.tools.dataSource.manager, id, most);
        if (large.bytes > most) budget.pay('answerBytes', large.bytes, 'BackupJob.inventory');
        budget.allowLargeValue(large.bytes);
        return large.inventory;
      }),
    );
  }

  @FieldResolver(() => InventoryObjectConnection, {
    nullable: true,
    description:
      'The same, object by object: each database, its tables, and its other objects. Null: no inventory was taken.',
  })
  inventoryObjects(
    @Root() { id }: BackupJobType,
    @Arg('database', () => String, { nullable: true, description: 'Only this database.' })
    database: string | null | undefined,
    @Args(() => PageArguments) page: PageArguments,
  ): Promise<Page<InventoryObjectType> | null> {
    const request = pageRequest(page, 'inventory');
    return selectInventoryObjects(this.tools.dataSource.manager, id, request, database ?? null);
  }

  @FieldResolver(() => InventorySummaryType, { nullable: true })
  inventorySummary(
    @Root() { id }: BackupJobType,
    @Ctx() context: RequestContext,
  ): Promise<InventorySummaryType | null> {
    return context.loaders.of(this.summaries).load(id);
  }

  @FieldResolver(() => BackupAccountsType, {
    nullable: true,
    description:
      'The accounts in the part `users`, for PostgreSQL in the part `globals`. Null: the backup contains no accounts.',
  })
  accounts(@Root() { id }: BackupJobType, @Ctx() context: RequestContext): Promise<BackupAccountsType | null> {
    return context.loaders.of(this.accountsOf).load(id);
  }

  @FieldResolver(() => [BackupActionEnum], { description: 'The actions that role and state allow the viewer now.' })
  viewerActions(@Root() { row }: BackupJobType, @Ctx() context: RequestContext): BackupAction[] {
    return backupActions(row, roleAt(context.viewer, scopeOfBackupJob(row)));
  }

  private async job(id: string | null, context: RequestContext): Promise<BackupJobType | null> {
    const row = id === null ? null : await context.loaders.of(this.jobs).load(id);
    return row === null ? null : new BackupJobType(row);
  }
}

@Resolver(() => BackupChangesType)
export class BackupChangesFieldsResolver {
  constructor(private readonly tools: BackupJobDependencies) {}

  private readonly jobs = (ids: readonly string[]) => rowsById(this.tools.dataSource.manager, BackupJobTable, ids);

  @FieldResolver(() => BackupJobType, { nullable: true, description: 'The previous backup.' })
  async since(@Root() { changes }: BackupChangesType, @Ctx() context: RequestContext): Promise<BackupJobType | null> {
    const row = await context.loaders.of(this.jobs).load(changes.since);
    return row === null ? null : new BackupJobType(row);
  }
}
