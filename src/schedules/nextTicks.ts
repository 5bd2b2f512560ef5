import type { EntityManager } from 'typeorm';
import type { PlanTick } from '../scheduler/alarmClock.js';
import { nextRun } from '../scheduler/cron/nextRun.js';
import { parseFrequency } from '../scheduler/cron/parseFrequency.js';

/** Of these plans, or of all, the earliest tick that nothing was done for yet; in the past when it is overdue. */
export type NextTicks = (manager: EntityManager, plans: readonly string[] | 'ALL') => Promise<readonly PlanTick[]>;

/**
 * Plans that are paused or removed, and those that never run again, have no next tick. A plan whose frequency or zone
 * this program does not understand (it may come from a newer one) is told to `unreadable`, so that it does not stop the
 * others. What was reckoned for all plans is remembered: they are asked for again and again, and few have changed.
 */
export function createNextTicks(unreadable: (planId: string, error: unknown) => void): NextTicks {
  let reckoned = new Map<string, Reckoned>();

  return async (manager, plans) => {
    const rows = await manager.query<readonly ScheduleRow[]>(schedulesSql, [plans === 'ALL' ? null : plans]);
    const now = new Map<string, Reckoned>();
    for (const row of rows) {
      const before = reckoned.get(row.id);
      try {
        now.set(row.id, before !== undefined && isOf(before, row) ? before : reckon(row));
      } catch (error) {
        unreadable(row.id, error);
      }
    }
    if (plans === 'ALL') reckoned = now;
    return [...now.values()].flatMap(({ tick }) => tick ?? []);
  };
}

type ScheduleRow = {
  readonly id: string;
  readonly version: number;
  readonly normalized: string;
  readonly time_zone: string;
  /** Milliseconds: up to and including here every destination's ticks are accounted for. */
  readonly after: number;
};

type Reckoned = { readonly of: ScheduleRow; readonly tick: PlanTick | undefined };

function isOf({ of }: Reckoned, row: ScheduleRow): boolean {
  return (
    of.after === row.after &&
    of.version === row.version &&
    of.normalized === row.normalized &&
    of.time_zone === row.time_zone
  );
}

function reckon(row: ScheduleRow): Reckoned {
  const { id: planId, version, normalized, time_zone: timeZone, after } = row;
  const at = nextRun(parseFrequency(normalized), timeZone, new Date(after));
  return { of: row, tick: at === undefined ? undefined : { kind: 'PLAN_TICK', planId, version, at } };
}

/** $1: the ids, or null for all plans. `accountedUntil` says the same of one destination. */
const schedulesSql = `
  SELECT id, schedule_version AS version, normalized, time_zone, (
    SELECT round(1000 * extract(epoch FROM min(greatest(
      plan.scheduled_since,
      (plan.accounted_until ->> endpoint.id)::timestamptz,
      (SELECT max(scheduled_for) FROM backup_jobs WHERE plan_id = plan.id AND file_endpoint_id = endpoint.id::uuid)
    ))))::float8 FROM jsonb_array_elements_text(plan.file_endpoint_ids) AS endpoint (id)
  ) AS after
  FROM backup_plans plan
  WHERE removed_at IS NULL AND NOT paused AND ($1::uuid[] IS NULL OR id = ANY($1::uuid[]))`;
