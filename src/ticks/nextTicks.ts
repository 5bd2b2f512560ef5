import type { EntityManager } from 'typeorm';
import type { PlanTick } from '../scheduler/alarmClock.js';
import { nextRun } from '../scheduler/cron/nextRun.js';
import { parseFrequency } from '../scheduler/cron/parseFrequency.js';

/** The earliest unhandled tick of each of these plans, or of all plans. An overdue tick lies in the past. */
export type NextTicks = (manager: EntityManager, plans: readonly string[] | 'ALL') => Promise<readonly PlanTick[]>;

/**
 * A plan that is paused, is removed or never runs again has no next tick. A frequency or zone of a newer program may be
 * unknown here. Such a plan is reported to `unreadable` and omitted. The ticks of all plans are cached, because most
 * plans are unchanged at the next call.
 */
export function createNextTicks(unreadable: (planId: string, error: unknown) => void): NextTicks {
  let remembered = new Map<string, NextTick>();

  return async (manager, plans) => {
    const rows = await manager.query<readonly ScheduleRow[]>(schedulesSql, [plans === 'ALL' ? null : plans]);
    const now = new Map<string, NextTick>();
    for (const row of rows) {
      const before = remembered.get(row.id);
      try {
        now.set(row.id, before !== undefined && isSameSchedule(before.row, row) ? before : nextTickOf(row));
      } catch (error) {
        unreadable(row.id, error);
      }
    }
    if (plans === 'ALL') remembered = now;
    return [...now.values()].flatMap(({ tick }) => tick ?? []);
  };
}

type ScheduleRow = {
  readonly id: string;
  readonly version: number;
  readonly normalized: string;
  readonly timeZone: string;
  /** Milliseconds since 1970. The ticks of every destination are accounted for up to this instant. */
  readonly after: number;
};

type NextTick = { readonly row: ScheduleRow; readonly tick: PlanTick | undefined };

function isSameSchedule(one: ScheduleRow, other: ScheduleRow): boolean {
  return (
    one.after === other.after &&
    one.version === other.version &&
    one.normalized === other.normalized &&
    one.timeZone === other.timeZone
  );
}

function nextTickOf(row: ScheduleRow): NextTick {
  const { id: planId, version, normalized, timeZone, after } = row;
  const at = nextRun(parseFrequency(normalized), timeZone, new Date(after));
  return { row, tick: at === undefined ? undefined : { kind: 'PLAN_TICK', planId, version, at } };
}

/**
 * $1 contains the ids, or is null for all plans. `accountedUntil` computes the same for the destinations of one plan.
 */
const schedulesSql = `
  SELECT id, schedule_version AS version, normalized, time_zone AS "timeZone", (
    SELECT round(1000 * extract(epoch FROM min(greatest(
      plan.scheduled_since,
      (plan.accounted_until ->> endpoint.id)::timestamptz,
      (SELECT max(scheduled_for) FROM backup_jobs WHERE plan_id = plan.id AND file_endpoint_id = endpoint.id::uuid)
    ))))::float8 FROM jsonb_array_elements_text(plan.file_endpoint_ids) AS endpoint (id)
  ) AS after
  FROM backup_plans plan
  WHERE removed_at IS NULL AND NOT paused AND ($1::uuid[] IS NULL OR id = ANY($1::uuid[]))`;
