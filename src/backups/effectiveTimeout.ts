import type { EntityManager } from 'typeorm';
import { formatDuration } from '../duration.js';
import { StowageError } from '../errors.js';

/** PLAN: the plan sets it. HISTORY: it follows from the last successes. MAXIMUM: the operator allows no more. */
export type TimeoutSource = 'PLAN' | 'HISTORY' | 'MAXIMUM';

/** The longest time that an attempt of a backup may take, and the origin of this limit. */
export type EffectiveTimeout = { readonly ms: number; readonly source: TimeoutSource };

/** The last 10 successes of a plan. */
export type RecentSuccesses = { readonly count: number; readonly medianMs: number };

const fewestSuccesses = 3;
const leastMs = 24 * 3_600_000;

/**
 * Without a timeout of the plan it is ten times the median of its last successes, and at least 24 hours. Null: no limit,
 * because there are fewer than three successes and no maximum.
 */
export function effectiveTimeout(given: {
  readonly timeoutMs: number | null;
  readonly successes: RecentSuccesses | undefined;
  readonly maxTimeoutMs: number | null;
}): EffectiveTimeout | null {
  const { timeoutMs, successes, maxTimeoutMs } = given;
  const own = timeoutMs === null ? ofHistory(successes) : ({ ms: timeoutMs, source: 'PLAN' } as const);
  if (maxTimeoutMs === null || (own !== null && own.ms <= maxTimeoutMs)) return own;
  return { ms: maxTimeoutMs, source: 'MAXIMUM' };
}

function ofHistory(successes: RecentSuccesses | undefined): EffectiveTimeout | null {
  if (successes === undefined || successes.count < fewestSuccesses) return null;
  return { ms: Math.max(leastMs, Math.round(10 * successes.medianMs)), source: 'HISTORY' };
}

/** By plan. A plan without a success is absent. */
export async function recentSuccesses(
  manager: EntityManager,
  planIds: readonly string[],
): Promise<ReadonlyMap<string, RecentSuccesses>> {
  const rows = await manager.query<{ plan_id: string; count: number; median_ms: number }[]>(
    `SELECT plan_id, count(*)::integer AS count,
       percentile_cont(0.5) WITHIN GROUP (ORDER BY taken_ms) AS median_ms
     FROM unnest($1::uuid[]) AS plan (plan_id), LATERAL (
       SELECT extract(epoch FROM finished_at - started_at)::float8 * 1000 AS taken_ms FROM backup_jobs job
       WHERE job.plan_id = plan.plan_id AND job.status = 'SUCCEEDED' ORDER BY job.started_at DESC LIMIT 10
     ) AS success GROUP BY plan_id`,
    [planIds],
  );
  return new Map(rows.map(({ plan_id: id, count, median_ms: medianMs }) => [id, { count, medianMs }]));
}

/** TIMEOUT, with the limit that applied and what to change. */
export function timeoutError({ ms, source }: EffectiveTimeout): StowageError {
  const { limit, help } = reasons[source];
  return new StowageError('TIMEOUT', `The backup took longer than ${formatDuration(ms)}, ${limit}.`, { help });
}

const orSlower = 'or find the phase that became slower: the attempts show their phases.';

const reasons: Readonly<Record<TimeoutSource, { readonly limit: string; readonly help: string }>> = {
  PLAN: { limit: 'the timeout of its plan', help: `Raise the timeout of the plan, ${orSlower}` },
  HISTORY: {
    limit: 'the limit for a plan without a timeout: ten times the median of its last successes, at least 24 hours',
    help: `Set a timeout of the plan if its backups may take longer, ${orSlower}`,
  },
  MAXIMUM: {
    limit: "the operator's maximum (STOWAGE_MAX_TIMEOUT)",
    help: `Ask the operator of Stowage to raise STOWAGE_MAX_TIMEOUT, ${orSlower}`,
  },
};
