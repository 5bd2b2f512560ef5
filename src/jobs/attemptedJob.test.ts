import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { given } from '../../test/fixtures/given.js';
import { fold, type Decider } from '../eventSourcing/decider.js';
import type { AttemptRecord, AttemptStart, JobError } from './attempt.js';
import {
  attemptEndIn,
  jobLife,
  lifeEvent,
  plainRules,
  type AttemptedJob,
  type JobCommand,
  type JobEvent,
  type PlainShape,
} from './attemptedJob.js';

/** A third kind of job, with everything that a kind defines: its shape, and its differences in the life cycle. */
type VerificationShape = PlainShape & {
  readonly name: 'Verification';
  readonly request: { readonly backupJobId: string; readonly maxAttempts: number; readonly engine: string };
  readonly start: AttemptStart;
  readonly attempt: AttemptRecord;
  readonly phase: 'READING' | 'COMPARING';
  readonly result: { readonly checkedBytes: number };
  readonly succeeded: { readonly checkedBytes: number };
};

const life = jobLife<VerificationShape>({
  ...plainRules,
  name: 'Verification',
  noun: 'verification',
  succeeded: ({ result }) => result,
});

const verification: Decider<
  AttemptedJob<VerificationShape>,
  JobCommand<VerificationShape>,
  JobEvent<VerificationShape>
> = {
  streamType: 'VerificationJob',
  initial: { status: 'NONE' },
  decide: (command, state) => life.decide(command, state),
  evolve(state, event) {
    const lifeOfJob = lifeEvent<VerificationShape>('Verification', event);
    return lifeOfJob === undefined ? state : life.evolve(state, lifeOfJob);
  },
};

const at = '2026-03-01T05:00:00.000Z';
const broken: JobError = {
  ...{ code: 'CHECKSUM', message: 'The bytes differ.', hint: null, toolOutput: null },
  retriable: true,
};
const queue = { kind: 'QUEUE', request: { backupJobId: 'b', maxAttempts: 2, engine: 'MARIADB' } } as const;
const start = (number: number) =>
  ({ kind: 'START_ATTEMPT', attempt: { number, worker: `w${number}`, startedAt: at } }) as const;
type Outcome = 'FAILED' | 'HANDED_BACK' | 'WORKER_LOST';
const fail = (attempt: number, error: JobError | null = broken, outcome: Outcome = 'FAILED') =>
  ({ kind: 'FAIL_ATTEMPT', attempt, outcome, error, at, retryAt: at }) as const;
const succeed = (attempt: number) => ({ kind: 'SUCCEED', attempt, result: { checkedBytes: 7 }, at }) as const;
const cancel = { kind: 'REQUEST_CANCEL', by: 'anna', at } as const;

const running = given(verification).then(queue).then(start(1));

describe('a kind of job that defines only its differences', () => {
  test('names its events by its own prefix and keeps its own result', () => {
    expect(running.types(succeed(1))).toEqual(['VerificationSucceeded']);
    expect(running.then(succeed(1)).state).toMatchObject({ status: 'SUCCEEDED', checkedBytes: 7 });
  });

  test('has the attempts that its request allows, and one more for each attempt that was handed back', () => {
    const again = running.then(fail(1)).then(start(2));
    expect(again.types(fail(2))).toEqual(['VerificationAttemptEnded', 'VerificationFailed']);
    expect(again.then(fail(2)).state).toMatchObject({ status: 'FAILED', error: { code: 'CHECKSUM' } });
    const handedBack = running.then(fail(1, null, 'HANDED_BACK')).then(start(2));
    expect(handedBack.then(fail(2)).state.status).toBe('QUEUED');
  });

  test('is not given to a third worker after two workers were lost', () => {
    const lost = (attempt: number) => fail(attempt, { ...broken, code: 'WORKER_LOST' }, 'WORKER_LOST');
    const byWorker = (number: number, worker: string) =>
      ({ kind: 'START_ATTEMPT', attempt: { number, worker, startedAt: at } }) as const;
    const patient = given(verification).then({ ...queue, request: { ...queue.request, maxAttempts: 5 } });
    const lostOnce = patient.then(byWorker(1, 'a')).then(lost(1));
    expect(lostOnce.state.status).toBe('QUEUED');
    expect(lostOnce.then(byWorker(2, 'a')).then(lost(2)).state.status).toBe('QUEUED');
    expect(lostOnce.then(byWorker(2, 'b')).then(fail(2)).state.status).toBe('QUEUED');
    const lostTwice = lostOnce.then(byWorker(2, 'b'));
    expect(lostTwice.types(lost(2))).toEqual(['VerificationAttemptEnded', 'VerificationFailed']);
    expect(lostTwice.then({ ...lost(2), reportingWorkers: ['a', 'c'] }).state.status).toBe('QUEUED');
    expect(lostTwice.then({ ...lost(2), reportingWorkers: ['b'] }).state).toMatchObject({
      status: 'FAILED',
      attempts: [{ error: { code: 'WORKER_LOST' } }, { error: { code: 'WORKER_LOST' } }],
      error: { code: 'WORKERS_LOST', retriable: false },
    });
  });

  test('is cancelled at once while it is queued, and by its worker while it runs', () => {
    expect(given(verification).then(queue).then(cancel).state.status).toBe('CANCELLED');
    const cancelling = running.then(cancel);
    expect(cancelling.state).toMatchObject({ status: 'RUNNING', cancelRequestedBy: 'anna' });
    expect(cancelling.when(cancel)).toEqual([]);
    expect(cancelling.types(fail(1))).toEqual(['VerificationCancelled']);
    expect(() => running.then(succeed(1)).when(cancel)).toThrow(expect.objectContaining({ code: 'CONFLICT' }));
  });

  test('accepts no command of an attempt that does not run the job', () => {
    const lost = expect.objectContaining({ code: 'WORKER_LOST' });
    for (const command of [succeed(2), fail(2), { kind: 'ENTER_PHASE', attempt: 2, phase: 'READING', at } as const]) {
      expect(() => running.when(command)).toThrow(lost);
    }
    expect(() => running.then(fail(1)).when(succeed(1))).toThrow(lost);
  });

  test('never leaves a final state, after any commands', () => {
    const number = fc.integer({ min: 1, max: 3 });
    const command = fc.oneof(
      fc.constantFrom(queue, cancel),
      number.map(start),
      number.map((attempt) => succeed(attempt)),
      number.map((attempt) => fail(attempt)),
      number.map((attempt) => ({ kind: 'CONFIRM_CANCEL', attempt, at }) as const),
    );
    fc.assert(
      fc.property(fc.array(command, { maxLength: 20 }), (commands) => {
        let state: AttemptedJob<VerificationShape> = verification.initial;
        for (const each of commands) {
          const before = state;
          try {
            const events = verification.decide(each, state);
            state = events.reduce((after, event) => verification.evolve(after, event), state);
          } catch {
            continue;
          }
          if (before.status === 'SUCCEEDED' || before.status === 'FAILED' || before.status === 'CANCELLED') {
            expect(state).toEqual(before);
          }
          const open = state.status === 'NONE' ? [] : state.attempts.filter(({ outcome }) => outcome === null);
          expect(open).toHaveLength(state.status === 'RUNNING' ? 1 : 0);
        }
      }),
    );
  });

  test('ignores events of other kinds', () => {
    expect(lifeEvent('Verification', { type: 'BackupQueued', data: {} })).toBeUndefined();
    expect(lifeEvent('Backup', { type: 'BackupHeld', data: {} })).toBeUndefined();
    expect(fold(verification, [])).toEqual({ status: 'NONE' });
  });

  test('shows the ends of attempts in the events of every kind of job', () => {
    const data = { retryAt: null };
    const endIn = (streamType: string, type: string) => attemptEndIn({ streamType, type, data });
    expect(endIn('VerificationJob', 'VerificationAttemptEnded')).toBe(data);
    expect(endIn('BackupJob', 'BackupFailed')).toBeUndefined();
    expect(endIn('BackupPlan', 'BackupAttemptEnded')).toBeUndefined();
  });
});
