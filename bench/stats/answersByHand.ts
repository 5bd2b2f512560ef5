/** The simplest possible answer of a field of Query: one statement, and its rows in the shape of the answer. */
export type HandMadeAnswer = {
  readonly field: 'backupStats' | 'backupJobs';
  readonly sql: string;
  answerOf(rows: readonly never[]): object;
};

type Count = { readonly status: string; readonly count: number; readonly written: number };
type DayCount = Count & { readonly day: Date; readonly median: number | null };

const writtenSize = (counts: readonly Count[]) => counts.reduce((sum, { written }) => sum + written, 0);

/** Figures of the jobs since `$1`, by day in Berlin. `where` is appended to that condition. */
export function statsByHand(where: string): HandMadeAnswer {
  return {
    field: 'backupStats',
    sql: `
      WITH fitting AS NOT MATERIALIZED (SELECT * FROM backup_jobs WHERE queued_at >= $1 ${where})
      SELECT date_trunc('day', queued_at, 'Europe/Berlin') AS day, status, count(*)::int AS count,
        coalesce(sum(stored_size_bytes), 0)::float8 AS written,
        (SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM finished_at - started_at))
         FROM fitting WHERE status = 'SUCCEEDED') AS median
      FROM fitting GROUP BY 1, 2 ORDER BY 1`,
    answerOf(rows: readonly DayCount[]) {
      const statuses = new Map<string, number>();
      const days = new Map<number, DayCount[]>();
      for (const row of rows) {
        statuses.set(row.status, (statuses.get(row.status) ?? 0) + row.count);
        days.set(row.day.getTime(), [...(days.get(row.day.getTime()) ?? []), row]);
      }
      return {
        statuses: [...statuses].map(([status, count]) => ({ status, count })),
        active: (statuses.get('QUEUED') ?? 0) + (statuses.get('RUNNING') ?? 0),
        writtenSize: writtenSize(rows),
        medianExecutionTime: `PT${rows[0]?.median ?? 0}S`,
        buckets: [...days].map(([day, of]) => ({ from: new Date(day), statuses: of, writtenSize: writtenSize(of) })),
      };
    },
  };
}

/** Figures of all jobs. */
export const totalsByHand: HandMadeAnswer = {
  field: 'backupStats',
  sql: `SELECT status, count(*)::int AS count, coalesce(sum(stored_size_bytes), 0)::float8 AS written
    FROM backup_jobs GROUP BY status`,
  answerOf: (rows: readonly Count[]) => ({ statuses: rows, writtenSize: writtenSize(rows) }),
};

type Job = {
  readonly status: string;
  readonly phase: string | null;
  readonly error: { readonly message: string } | null;
  readonly waitsForWorker: boolean;
};

/**
 * The first 50 jobs of a list, and whether there are more. The message of a queued job states whether a worker can run
 * it, so this reads the workers too.
 */
export function pageByHand(
  where: string,
  order: string,
  some: 'MAY_WAIT' | 'HAVE_ENDED' = 'HAVE_ENDED',
): HandMadeAnswer {
  const queue = `LEFT JOIN job_queue queue ON queue.job_id = job.id::text AND queue.due_at <= clock_timestamp()`;
  const worker = `EXISTS (SELECT FROM workers WHERE NOT draining)`;
  return {
    field: 'backupJobs',
    sql: `SELECT id, status, trigger, job.queued_at AS "queuedAt", started_at AS "startedAt", finished_at AS "finishedAt",
        stored_size_bytes::float8 AS "storedSize", phase, error,
        ${some === 'MAY_WAIT' ? `queue.job_id IS NOT NULL AND NOT ${worker}` : 'false'} AS "waitsForWorker"
      FROM backup_jobs job ${some === 'MAY_WAIT' ? queue : ''} WHERE ${where} ORDER BY ${order} LIMIT 51`,
    answerOf: (rows: readonly Job[]) => ({
      nodes: rows.slice(0, 50).map((job) => ({ ...job, message: messageOf(job) })),
      pageInfo: { hasNextPage: rows.length > 50 },
    }),
  };
}

function messageOf({ status, phase, error, waitsForWorker }: Job): string {
  return waitsForWorker ? 'No worker is running.' : (error?.message ?? `${status} ${phase ?? ''}`);
}
