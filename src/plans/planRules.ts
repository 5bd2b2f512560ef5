import { StowageError, type FieldProblem } from '../errors.js';
import { checkInterval } from '../scheduler/cron/checkInterval.js';
import { checkTimeZone } from '../scheduler/cron/checkTimeZone.js';
import { parseFrequency } from '../scheduler/cron/parseFrequency.js';
import {
  durationWithin,
  entityName,
  InputProblems,
  integerWithin,
  refuseNulls,
  text,
  uuid,
} from '../server/inputValidation.js';
import { patched } from '../server/patched.js';
import type { PlanContent } from './backupPlan.js';
import { checkDriftThreshold, driftThresholdOf } from './driftThreshold.js';
import { planDefaults, type BackupPlanInput, type BackupPlanPatch } from './planInput.js';
import { checkRetention, type RetentionPolicy } from './retention/retentionPolicy.js';

const secondMs = 1_000;
const dayMs = 86_400_000;

export type PlanRules = {
  /** The smallest time between two runs. */
  readonly minIntervalMs: number;
  readonly now: Date;
};

export const mostEndpoints = 10;

/** The content of a new plan. Undefined: the input has problems, which are added under `input`. */
export function newContent(problems: InputProblems, input: BackupPlanInput, rules: PlanRules): PlanContent | undefined {
  checkFields(problems, input);
  const schedule = checkSchedule(problems, { typed: input.frequency, timeZone: input.timeZone }, rules);
  const retention = checkedRetention(problems, input.retention);
  if (schedule === undefined || retention === undefined) return undefined;
  const { name, fileEndpointIds } = input;
  return withFields({ ...planDefaults, name, fileEndpointIds, ...schedule, retention }, input);
}

/**
 * Checks a patch of the plan `row`, and adds its problems under `input`. The result computes the content after the
 * patch from the content that is stored when the command runs. It throws BAD_INPUT if frequency and time zone are wrong
 * together, because another command may have changed the field that the patch leaves unchanged.
 */
export function patchedContent(
  problems: InputProblems,
  patch: BackupPlanPatch,
  row: Pick<PlanContent, 'typed' | 'timeZone'>,
  rules: PlanRules,
): (before: PlanContent) => PlanContent {
  refuseNulls(problems, 'input', patch, ['name', 'fileEndpointIds', 'frequency', 'retention']);
  checkFields(problems, patch);
  patchedSchedule(problems, patch, row, rules);
  const retention = patch.retention ? checkedRetention(problems, patch.retention) : undefined;
  return (before) => {
    const found = new InputProblems();
    const schedule = patchedSchedule(found, patch, before, rules);
    found.throwIfAny();
    return withFields({ ...before, ...schedule, ...(retention === undefined ? {} : { retention }) }, patch);
  };
}

function checkFields(problems: InputProblems, input: BackupPlanPatch): void {
  // File endpoint ids are compared without regard to letter case.
  const endpointIds = input.fileEndpointIds?.map((id) => id.toLowerCase());
  problems
    .check('input.name', input.name, entityName)
    .check('input.description', input.description, text(1, 1000))
    .checkList('input.fileEndpointIds', endpointIds, { atLeast: 1, atMost: mostEndpoints, unique: true }, uuid)
    .check('input.maxAttempts', input.maxAttempts, integerWithin(1, 10))
    .check('input.catchUpWindow', input.catchUpWindow, durationWithin(secondMs, 366 * dayMs))
    .check('input.timeout', input.timeout, durationWithin(secondMs, 30 * dayMs))
    .check('input.stallTimeout', input.stallTimeout, durationWithin(10 * secondMs, dayMs));
  checkDriftThreshold(problems, input.driftThreshold);
}

/** The content with all fields of the input that are checked one by one. Schedule and retention come from `before`. */
function withFields(before: PlanContent, input: BackupPlanPatch): PlanContent {
  const { description, maxAttempts, catchUpWindowMs, timeoutMs, stallTimeoutMs, yieldToLocks } = planDefaults;
  return {
    ...before,
    name: input.name ?? before.name,
    description: patched(input.description, before.description, description),
    fileEndpointIds: (input.fileEndpointIds ?? before.fileEndpointIds).map((id) => id.toLowerCase()),
    maxAttempts: patched(input.maxAttempts, before.maxAttempts, maxAttempts),
    catchUpWindowMs: patched(input.catchUpWindow, before.catchUpWindowMs, catchUpWindowMs),
    timeoutMs: patched(input.timeout, before.timeoutMs, timeoutMs),
    stallTimeoutMs: patched(input.stallTimeout, before.stallTimeoutMs, stallTimeoutMs),
    yieldToLocks: patched(input.yieldToLocks, before.yieldToLocks, yieldToLocks),
    driftThreshold: patchedThreshold(input, before),
    includeUsers: patched(input.includeUsers, before.includeUsers, planDefaults.includeUsers),
    compression: patched(input.compression, before.compression, planDefaults.compression),
  };
}

function patchedThreshold({ driftThreshold }: BackupPlanPatch, before: PlanContent): PlanContent['driftThreshold'] {
  if (driftThreshold === undefined) return before.driftThreshold;
  return driftThreshold === null ? planDefaults.driftThreshold : driftThresholdOf(driftThreshold);
}

/** Frequency and zone in the form that a plan stores. Undefined: there are problems, which are added under `path`. */
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

/**
 * Frequency and zone after a patch. Undefined: the patch changes neither of the two, or there are problems, which are
 * added.
 */
function patchedSchedule(
  problems: InputProblems,
  { frequency, timeZone }: BackupPlanPatch,
  before: Pick<PlanContent, 'typed' | 'timeZone'>,
  rules: PlanRules,
): ReturnType<typeof checkSchedule> {
  if (typeof frequency !== 'string' && timeZone === undefined) return undefined;
  const zone = patched(timeZone, before.timeZone, planDefaults.timeZone);
  return checkSchedule(problems, { typed: frequency ?? before.typed, timeZone: zone }, rules);
}

export function checkedRetention(
  problems: InputProblems,
  input: NonNullable<BackupPlanPatch['retention']>,
  path = 'input.retention',
): RetentionPolicy | undefined {
  return collected(problems, () => checkRetention(input, path));
}

/** The result of the check. Undefined: the check throws BAD_INPUT, and its problems are added. */
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
