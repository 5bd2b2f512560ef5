import { StowageError, type FieldProblem } from '../errors.js';
import { checkInterval } from '../scheduler/cron/checkInterval.js';
import { checkTimeZone } from '../scheduler/cron/checkTimeZone.js';
import { parseFrequency } from '../scheduler/cron/parseFrequency.js';
import { durationWithin, entityName, integerWithin, uuid, type InputProblems } from '../server/inputValidation.js';
import type { BackupPlanPatch } from './planInput.js';
import type { PlanContent } from './backupPlan.js';
import { checkRetention, type RetentionPolicy } from './retention/retentionPolicy.js';

const secondMs = 1_000;
const dayMs = 86_400_000;

export type PlanRules = {
  /** The smallest time between two runs. */
  readonly minIntervalMs: number;
  readonly now: Date;
};

export const mostEndpoints = 10;

/** What an input says about a plan; for a patch only some of it. Every problem is added, under `input`. */
export function checkPlanFields(problems: InputProblems, input: BackupPlanPatch): void {
  // The same id in capitals is the same endpoint.
  const endpointIds = input.fileEndpointIds?.map((id) => id.toLowerCase());
  problems
    .check('input.name', input.name, entityName)
    .checkList('input.fileEndpointIds', endpointIds, { atLeast: 1, atMost: mostEndpoints, unique: true }, uuid)
    .check('input.maxAttempts', input.maxAttempts, integerWithin(1, 10))
    .check('input.catchUpWindow', input.catchUpWindow, durationWithin(secondMs, 366 * dayMs))
    .check('input.timeout', input.timeout, durationWithin(secondMs, 30 * dayMs))
    .check('input.stallTimeout', input.stallTimeout, durationWithin(10 * secondMs, dayMs));
}

/** Frequency and zone as a plan keeps them; undefined where there are problems, which are added, under `path`. */
export function checkSchedule(
  problems: InputProblems,
  { typed, timeZone }: { readonly typed: string; readonly timeZone: string },
  { minIntervalMs, now }: PlanRules,
  path = 'input',
): Pick<PlanContent, 'typed' | 'normalized' | 'timeZone'> | undefined {
  const zone = collected(problems, () => checkTimeZone(timeZone, `${path}.timeZone`));
  const frequency = collected(problems, () => parseFrequency(typed, `${path}.frequency`));
  if (zone === undefined || frequency === undefined) return undefined;
  const close = collected(problems, () => {
    checkInterval(frequency, zone, minIntervalMs, now, `${path}.frequency`);
    return 'far enough';
  });
  return close === undefined ? undefined : { typed, normalized: frequency.normalized, timeZone: zone };
}

/** What a patch makes of frequency and zone; undefined where it changes neither, or where there are problems. */
export function patchedSchedule(
  problems: InputProblems,
  { frequency, timeZone }: BackupPlanPatch,
  before: Pick<PlanContent, 'typed' | 'timeZone'>,
  rules: PlanRules,
): ReturnType<typeof checkSchedule> {
  if (typeof frequency !== 'string' && timeZone === undefined) return undefined;
  const zone = timeZone === undefined ? before.timeZone : (timeZone ?? 'UTC');
  return checkSchedule(problems, { typed: frequency ?? before.typed, timeZone: zone }, rules);
}

export function checkedRetention(
  problems: InputProblems,
  input: NonNullable<BackupPlanPatch['retention']>,
  path = 'input.retention',
): RetentionPolicy | undefined {
  return collected(problems, () => checkRetention(input, path));
}

/** What the check gives, or its problems added to the others. */
function collected<T>(problems: InputProblems, check: () => T): T | undefined {
  try {
    return check();
  } catch (error) {
    if (!(error instanceof StowageError) || error.code !== 'BAD_INPUT') throw error;
    const fields = (error.details['fields'] ?? []) as readonly FieldProblem[];
    for (const { path, problem, hint } of fields) problems.add(path, problem, hint);
    return undefined;
  }
}
