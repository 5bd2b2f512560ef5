import { Arg, Ctx, ID, Query, Resolver } from 'type-graphql';
import type { DataSource } from 'typeorm';
import { checkTimeZone } from '../../scheduler/cron/checkTimeZone.js';
import { InputProblems, uuid } from '../../server/inputValidation.js';
import type { RequestContext } from '../../server/requestContext.js';
import { Requires } from '../../server/requires.js';
import { visibleRows } from '../../server/visibleRows.js';
import { Statistics } from '../../server/statistics.js';
import { checkFilter } from '../api/backupJobFilter.js';
import { BackupJobFilter } from '../api/backupJobInput.js';
import { countJobs, firstQueuedAt, medianExecutionTimeMs, type JobCount } from './backupStats.js';
import { BackupStatsType, StatsBucketEnum } from './backupStatsType.js';
import { statsBuckets, type StatsBucket } from './statsBuckets.js';

export type BackupStatsDependencies = { readonly dataSource: DataSource; readonly now: () => Date };

@Resolver()
export class BackupStatsResolver {
  constructor(private readonly tools: BackupStatsDependencies) {}

  @Query(() => BackupStatsType, {
    description:
      'Counts and sums the jobs that match. Buckets begin at queuedFrom (default: the first job) and end at queuedBefore (default: now). A job belongs to the bucket in which it was queued.',
  })
  @Requires('VIEWER')
  @Statistics()
  async backupStats(
    @Arg('projectId', () => ID, { nullable: true }) projectId: string | null | undefined,
    @Arg('filter', () => BackupJobFilter, { nullable: true }) filter: BackupJobFilter | null | undefined,
    @Arg('bucket', () => StatsBucketEnum, { nullable: true }) bucket: StatsBucket | null | undefined,
    @Arg('timeZone', () => String, { defaultValue: 'UTC' }) timeZone: string,
    @Ctx() context: RequestContext,
  ): Promise<BackupStatsType> {
    checkFilter(new InputProblems().check('projectId', projectId, uuid), filter).throwIfAny();
    const zone = checkTimeZone(timeZone);
    const { manager } = this.tools.dataSource;
    const jobs = { within: [visibleRows(context.viewer, projectId, 'row.service_id')], filter };
    const from = bucket ? (filter?.queuedFrom ?? (await firstQueuedAt(manager, jobs))) : undefined;
    const until = filter?.queuedBefore ?? this.tools.now();
    const beginnings = bucket && from ? statsBuckets(bucket, zone, from, until) : [];
    let counts: Promise<readonly JobCount[]> | undefined;
    return new BackupStatsType({
      beginnings,
      counts: () => (counts ??= countJobs(manager, jobs, beginnings)),
      medianExecutionTimeMs: () => medianExecutionTimeMs(manager, jobs),
    });
  }
}
