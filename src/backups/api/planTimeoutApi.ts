import { Ctx, FieldResolver, Resolver, Root } from 'type-graphql';
import type { DataSource } from 'typeorm';
import { EffectiveTimeoutType } from '../../jobs/attemptType.js';
import { BackupPlanType } from '../../plans/planType.js';
import type { RequestContext } from '../../server/requestContext.js';
import { effectiveTimeout, recentSuccesses } from '../effectiveTimeout.js';

export type PlanTimeoutDependencies = {
  readonly dataSource: DataSource;
  /** No attempt of a backup may take longer. Absent or null: no maximum. */
  readonly maxTimeoutMs?: number | null;
};

@Resolver(() => BackupPlanType)
export class PlanTimeoutResolver {
  constructor(private readonly tools: PlanTimeoutDependencies) {}

  private readonly successes = async (ids: readonly string[]) => {
    const found = await recentSuccesses(this.tools.dataSource.manager, ids);
    return ids.map((id) => found.get(id) ?? null);
  };

  @FieldResolver(() => EffectiveTimeoutType, {
    nullable: true,
    description:
      'The longest that an attempt that starts now may take. Without `timeout` it is the larger of 24 hours and ten times the median of the last 10 successes. Null: no limit, because there are fewer than 3 successes.',
  })
  async effectiveTimeout(
    @Root() { row }: BackupPlanType,
    @Ctx() context: RequestContext,
  ): Promise<EffectiveTimeoutType | null> {
    const successes = (await context.loaders.of(this.successes).load(row.id)) ?? undefined;
    const { maxTimeoutMs = null } = this.tools;
    return effectiveTimeout({ timeoutMs: row.timeoutMs, successes, maxTimeoutMs });
  }
}
