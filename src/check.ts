import type { ErrorCode } from './errors.js';

/** One step of a check. Its name shows a person which step the check has reached. */
export type CheckStep = {
  readonly name: CheckStepName;
  readonly status: 'OK' | 'FAILED' | 'SKIPPED';
  readonly tookMs: number | null;
  readonly code: ErrorCode | null;
  /** The result of the step. For a failed step it names the object and the obstacle. */
  readonly message: string | null;
  readonly hint: string | null;
};

export type CheckStepName =
  // file endpoints
  | 'RESOLVE'
  | 'AUTHENTICATE'
  | 'CATALOG'
  | 'CONTAINER'
  | 'WRITE'
  | 'READ_BACK'
  | 'DELETE'
  | 'CAPABILITIES'
  // services
  | 'CONNECT'
  | 'TOOL'
  | 'PRIVILEGES'
  | 'SETTINGS';

export type Check = {
  readonly ok: boolean;
  /** ISO 8601. */ readonly checkedAt: string;
  readonly steps: readonly CheckStep[];
};

/** True if no step failed. */
export function checkOf(steps: readonly CheckStep[], checkedAt: Date): Check {
  return { ok: steps.every((step) => step.status !== 'FAILED'), checkedAt: checkedAt.toISOString(), steps };
}
