import { Ctx, FieldResolver, Resolver, Root } from 'type-graphql';
import type { DataSource } from 'typeorm';
import type { RequestContext } from '../../server/requestContext.js';
import { JsonScalar } from '../../server/scalars/json.js';
import { findInventories, findInventorySummaries } from './backupJobQueries.js';
import { BackupJobType, InventorySummaryType } from './backupJobType.js';

/** An inventory names every table of a server: it is read where it is asked for, of all jobs of a list at once. */
@Resolver(() => BackupJobType)
export class BackupInventoryResolver {
  constructor(private readonly with_: { readonly dataSource: DataSource }) {}

  private readonly inventories = (ids: readonly string[]) => findInventories(this.with_.dataSource.manager, ids);
  private readonly summaries = (ids: readonly string[]) => findInventorySummaries(this.with_.dataSource.manager, ids);

  @FieldResolver(() => JsonScalar, {
    nullable: true,
    description: 'Databases, tables with row counts, routines and the like.',
  })
  inventory(@Root() { id }: BackupJobType, @Ctx() context: RequestContext): Promise<unknown> {
    return context.loaders.of(this.inventories).load(id);
  }

  @FieldResolver(() => InventorySummaryType, { nullable: true })
  inventorySummary(
    @Root() { id }: BackupJobType,
    @Ctx() context: RequestContext,
  ): Promise<InventorySummaryType | null> {
    return context.loaders.of(this.summaries).load(id);
  }
}
