import type { EntityManager, ObjectLiteral, SelectQueryBuilder } from 'typeorm';
import { filterConditions } from './backupJobFilter.js';
import type { BackupJobFilter } from './backupJobInput.js';
import { BackupJobTable, type BackupJobRow, type BackupJobStatus } from './backupJobView.js';

/** Which jobs are counted. `within` narrows further, by conditions on `row`. */
export type CountedJobs = {
  readonly within: readonly (readonly [string, ObjectLiteral] | undefined)[];
  readonly filter: BackupJobFilter | null | undefined;
};

export type JobCount = {
  /** The place of the bucket that they were queued in; -1: before the first, or there are none. */
  readonly bucket: number;
  readonly status: BackupJobStatus;
  readonly count: number;
  /** What their backups took in the containers, also of those that were deleted since. */
  readonly writtenSizeBytes: number;
};

/** Counts jobs by status and by the bucket that they were queued in, in one statement. */
export async function countJobs(
  manager: EntityManager,
  jobs: CountedJobs,
  beginnings: readonly Date[],
): Promise<readonly JobCount[]> {
  const query = matching(manager, jobs)
    .select('row.status', 'status')
    .addSelect('count(*)', 'count')
    .addSelect('coalesce(sum(row.stored_size_bytes), 0)', 'written')
    .groupBy('row.status');
  if (beginnings.length > 0) {
    query
      .addSelect('width_bucket(row.queued_at, :beginnings::timestamptz[])', 'bucket')
      .addGroupBy('bucket')
      .setParameter('beginnings', beginnings);
  }
  const rows = await query.getRawMany<{ status: BackupJobStatus; count: string; written: string; bucket?: number }>();
  return rows.map(({ status, count, written, bucket = 0 }) => ({
    bucket: bucket - 1,
    status,
    count: Number(count),
    writtenSizeBytes: Number(written),
  }));
}

/** The median execution time of those that SUCCEEDED, in whole milliseconds; null where none did. */
export async function medianExecutionTimeMs(manager: EntityManager, jobs: CountedJobs): Promise<number | null> {
  const row = await matching(manager, jobs)
    .select(
      'percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM row.finished_at - row.started_at)::float8)',
      'seconds',
    )
    .andWhere("row.status = 'SUCCEEDED'")
    .getRawOne<{ seconds: number | null }>();
  return row === undefined || row.seconds === null ? null : Math.max(0, Math.round(row.seconds * 1000));
}

/** When the first of them was queued; undefined: there is none. */
export async function firstQueuedAt(manager: EntityManager, jobs: CountedJobs): Promise<Date | undefined> {
  const row = await matching(manager, jobs)
    .select('row.queued_at', 'first')
    .orderBy('row.queued_at', 'ASC')
    .limit(1)
    .getRawOne<{ first: Date }>();
  return row?.first;
}

function matching(manager: EntityManager, { within, filter }: CountedJobs): SelectQueryBuilder<BackupJobRow> {
  const query = manager.createQueryBuilder(BackupJobTable, 'row').where('true');
  for (const condition of [...within, ...filterConditions(filter)]) {
    if (condition !== undefined) query.andWhere(condition[0], condition[1]);
  }
  return query;
}
