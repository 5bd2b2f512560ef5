import type { EntityManager } from 'typeorm';
import { tableReader, type Condition } from '../../server/tableReader.js';
import { filterConditions } from '../api/backupJobFilter.js';
import type { BackupJobFilter } from '../api/backupJobInput.js';
import { BackupJobTable, type BackupJobStatus } from '../backupJobView.js';

/** Selects the jobs to count. `within` has further conditions on `row`. */
export type CountedJobs = {
  readonly within: readonly (Condition | undefined)[];
  readonly filter: BackupJobFilter | null | undefined;
};

export type JobCount = {
  /** The index of the bucket in which the jobs were queued. -1: before the first bucket, or there are no buckets. */
  readonly bucket: number;
  readonly status: BackupJobStatus;
  readonly count: number;
  /** The bytes that their backups stored in the containers, including backups that were deleted since. */
  readonly writtenSizeBytes: number;
};

/** Counts jobs by status and by the bucket in which they were queued, in one statement. */
export async function countJobs(
  manager: EntityManager,
  jobs: CountedJobs,
  beginnings: readonly Date[],
): Promise<readonly JobCount[]> {
  const figures = 'row.status, count(*) AS count, coalesce(sum(row.stored_size_bytes), 0) AS written';
  const table = tableReader(manager, BackupJobTable);
  const rows =
    beginnings.length === 0
      ? await table.select<Counted>(`${figures}, 0 AS bucket`, matching(jobs), ['GROUP BY row.status'])
      : await table.select<Counted>(
          `${figures}, width_bucket(row.queued_at, :beginnings::timestamptz[]) AS bucket`,
          matching(jobs),
          ['GROUP BY row.status, bucket', { beginnings }],
        );
  return rows.map(({ status, count, written, bucket }) => ({
    bucket: bucket - 1,
    status,
    count: Number(count),
    writtenSizeBytes: Number(written),
  }));
}

type Counted = {
  readonly status: BackupJobStatus;
  readonly count: string;
  readonly written: string;
  readonly bucket: number;
};

/** The median execution time of the SUCCEEDED jobs, in whole milliseconds. Null: no job SUCCEEDED. */
export async function medianExecutionTimeMs(manager: EntityManager, jobs: CountedJobs): Promise<number | null> {
  const median =
    'percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM row.finished_at - row.started_at)::float8)';
  const [row] = await tableReader(manager, BackupJobTable).select<{ seconds: number | null }>(`${median} AS seconds`, [
    ...matching(jobs),
    ["row.status = 'SUCCEEDED'"],
  ]);
  return row === undefined || row.seconds === null ? null : Math.max(0, Math.round(row.seconds * 1000));
}

/** When the first of the jobs was queued. Undefined: there are no jobs. */
export async function firstQueuedAt(manager: EntityManager, jobs: CountedJobs): Promise<Date | undefined> {
  const [row] = await tableReader(manager, BackupJobTable).select<{ first: Date }>(
    'row.queued_at AS first',
    matching(jobs),
    ['ORDER BY row.queued_at LIMIT 1'],
  );
  return row?.first;
}

function matching({ within, filter }: CountedJobs): readonly (Condition | undefined)[] {
  return [...within, ...filterConditions(filter)];
}
