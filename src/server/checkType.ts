import { Field, ObjectType, registerEnumType } from 'type-graphql';
import type { Check, CheckStep } from '../check.js';
import { formatDuration } from '../duration.js';
import { StowageError } from '../errors.js';
import { DateTime } from './scalars/dateTime.js';
import { Duration } from './scalars/duration.js';

export const CheckStatusEnum = { OK: 'OK', FAILED: 'FAILED', SKIPPED: 'SKIPPED' } as const;
registerEnumType(CheckStatusEnum, { name: 'CheckStatus' });

@ObjectType('CheckStep', { description: 'One step of a check. The steps after the first failure are SKIPPED.' })
export class CheckStepType {
  @Field(() => String, {
    description:
      'Services: RESOLVE, CONNECT, AUTHENTICATE, TOOL, PRIVILEGES, SETTINGS. File endpoints: RESOLVE, AUTHENTICATE, CATALOG, CONTAINER, WRITE, READ_BACK, DELETE, CAPABILITIES.',
  })
  readonly name!: string;

  @Field(() => CheckStatusEnum)
  readonly status!: CheckStep['status'];

  @Field(() => Duration, { nullable: true })
  readonly took!: number | null;

  @Field(() => String, { nullable: true, description: 'Why the step failed: a code of docs/errors.md.' })
  readonly code!: string | null;

  @Field(() => String, { nullable: true })
  readonly message!: string | null;

  @Field(() => String, { nullable: true, description: 'What to do.' })
  readonly hint!: string | null;
}

@ObjectType('Check', { description: 'The steps of a check in their order. A check takes at most 20 s.' })
export class CheckType {
  @Field(() => Boolean)
  readonly ok!: boolean;

  @Field(() => DateTime)
  readonly checkedAt!: string;

  @Field(() => [CheckStepType])
  readonly steps!: readonly CheckStepType[];

  static of({ ok, checkedAt, steps }: Check): CheckType {
    const stepTypes = steps.map(({ tookMs, ...step }) => ({ ...step, took: tookMs }));
    return Object.assign(new CheckType(), { ok, checkedAt, steps: stepTypes });
  }
}

/** The time limit for all steps of a check together, in milliseconds. */
export const checkTimeoutMs = 20_000;

/** Throws CHECK_FAILED, with the check in `details` in the shape of the API, unless the check passed. */
export function throwUnlessOk(check: Check, what: string): void {
  if (check.ok) return;
  const failed = check.steps.find((step) => step.status === 'FAILED');
  const steps = check.steps.map(({ tookMs, ...step }) => ({
    ...step,
    took: tookMs === null ? null : formatDuration(tookMs),
  }));
  throw new StowageError(
    'CHECK_FAILED',
    `${what} did not pass ${failed?.name ?? 'its check'}: ${failed?.message ?? ''}`,
    {
      details: { check: { ...check, steps } },
      ...(failed?.hint === undefined || failed.hint === null ? {} : { help: failed.hint }),
    },
  );
}
