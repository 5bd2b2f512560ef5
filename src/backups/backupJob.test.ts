import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { given } from '../../test/fixtures/given.js';
import { fold } from '../eventSourcing/decider.js';
import type { JobError } from '../jobs/attempt.js';
import {
  backupJob,
  type BackupJob,
  type BackupJobCommand,
  type BackupJobEvent,
  type BackupRequest,
} from './backupJob.js';

const at = '2026-03-01T05:00:00.000Z';
const request: BackupRequest = {
  serviceId: 's',
  engine: 'MARIADB',
  planId: 'p',
  fileEndpointId: 'e',
  trigger: 'SCHEDULE',
  batchId: 'b',
  requestedBy: 'scheduler',
  retryOf: null,
  scheduledFor: at,
  queuedAt: at,
  maxAttempts: 3,
  timeoutMs: null,
  stallTimeoutMs: 600_000,
};
const result = { folder: 'f/', parts: [], inventory: null, warnings: [], sizeBytes: 2, storedSizeBytes: 1 };
const unreachable: JobError = {
  code: 'SERVICE_UNREACHABLE',
  message: 'db does not answer.',
  hint: null,
  toolOutput: null,
  retriable: true,
};
const refused: JobError = { ...unreachable, code: 'SERVICE_AUTH', retriable: false };

const queue: BackupJobCommand = { kind: 'QUEUE', request };
const start = (number: number): BackupJobCommand => ({
  kind: 'START_ATTEMPT',
  attempt: { number, worker: `w${number}`, startedAt: at, folder: `f${number}/` },
});
const succeed = (attempt: number): BackupJobCommand => ({ kind: 'SUCCEED', attempt, result, at });
/** The parts in the folder that `start` gives the attempt. */
const adopt = (attempt: number): BackupJobCommand => ({
  ...{ kind: 'ADOPT', attempt, by: 'finder', finishedAt: '2026-03-01T05:07:00.000Z', at: '2026-03-01T06:00:00.000Z' },
  result: { ...result, folder: `f${attempt}/` },
});
const fail = (attempt: number, error: JobError | null, outcome: 'FAILED' | 'WORKER_LOST' | 'HANDED_BACK' = 'FAILED') =>
  ({ kind: 'FAIL_ATTEMPT', attempt, outcome, error, at, retryAt: at }) as const;
const cancel: BackupJobCommand = { kind: 'REQUEST_CANCEL', by: 'anna', at };
const erase: BackupJobCommand = { kind: 'DECIDE_DELETION', reason: 'BY_HAND', by: 'anna', at };

const hold: BackupJobCommand = { kind: 'HOLD', hold: { reason: 'audit', by: 'anna', at } };
const release: BackupJobCommand = { kind: 'RELEASE_HOLD', by: 'anna', at };

const queued = given(backupJob).then(queue);
const running = queued.then(start(1));
const stored = running.then(succeed(1));

describe('a backup job', () => {
  test('is queued only once if it is queued twice under one id', () => {
    expect(queued.when(queue)).toEqual([]);
    expect(queued.when({ kind: 'SKIP', request, skippedFor: 'x' })).toEqual([]);
  });

  test('succeeds only by the attempt that runs', () => {
    expect(running.types(succeed(1))).toEqual(['BackupSucceeded']);
    expect(() => running.when(succeed(2))).toThrow(expect.objectContaining({ code: 'WORKER_LOST' }));
    expect(() => queued.when(succeed(1))).toThrow(expect.objectContaining({ code: 'WORKER_LOST' }));
    const secondAttempt = running.then(fail(1, unreachable)).then(start(2));
    expect(() => secondAttempt.when(succeed(1))).toThrow(expect.objectContaining({ code: 'WORKER_LOST' }));
  });

  test('waits for another attempt after a temporary failure, and fails at once after any other failure', () => {
    expect(running.types(fail(1, unreachable))).toEqual(['BackupAttemptEnded']);
    expect(running.then(fail(1, unreachable)).state.status).toBe('QUEUED');
    expect(running.types(fail(1, refused))).toEqual(['BackupAttemptEnded', 'BackupFailed']);
  });

  test('fails with its last error when the attempts are used up', () => {
    const third = running.then(fail(1, unreachable)).then(start(2)).then(fail(2, unreachable)).then(start(3));
    const failed = third.then(fail(3, unreachable));
    expect(failed.state).toMatchObject({ status: 'FAILED', error: { code: 'SERVICE_UNREACHABLE' } });
    expect(failed.state.status === 'FAILED' && failed.state.attempts.map((each) => each.outcome)).toEqual([
      'FAILED',
      'FAILED',
      'FAILED',
    ]);
  });

  test('does not count an attempt that a draining worker handed back', () => {
    let job = running;
    for (let number = 1; number < 10; number += 1) {
      job = job.then(fail(number, null, 'HANDED_BACK')).then(start(number + 1));
    }
    expect(job.types(fail(10, unreachable))).toEqual(['BackupAttemptEnded']);
  });

  test('is cancelled at once while it waits, and by its worker while it runs', () => {
    expect(queued.types(cancel)).toEqual(['BackupCancelled']);
    const cancelling = running.then(cancel);
    expect(cancelling.state).toMatchObject({ status: 'RUNNING', cancelRequestedBy: 'anna' });
    expect(cancelling.when(cancel)).toEqual([]);
    expect(cancelling.types({ kind: 'CONFIRM_CANCEL', attempt: 1, at })).toEqual(['BackupCancelled']);
    expect(cancelling.types(fail(1, null, 'WORKER_LOST'))).toEqual(['BackupCancelled']);
  });

  test('stays a success if it finished before the cancellation arrived', () => {
    expect(running.then(cancel).then(succeed(1)).state.status).toBe('SUCCEEDED');
    expect(() => stored.when(cancel)).toThrow(expect.objectContaining({ code: 'CONFLICT' }));
  });

  test('succeeds by another worker that found the complete backup of the lost attempt, with the time when that backup was finished', () => {
    const adopted = running.then(adopt(1));
    expect(adopted.state).toMatchObject({ status: 'SUCCEEDED', availability: 'STORED', result: { folder: 'f1/' } });
    expect(adopted.state.status === 'SUCCEEDED' && adopted.state.attempts).toMatchObject([
      { number: 1, worker: 'w1', outcome: 'SUCCEEDED', finishedAt: '2026-03-01T05:07:00.000Z', adoptedBy: 'finder' },
    ]);
    expect(() => adopted.when(succeed(1))).toThrow(expect.objectContaining({ code: 'WORKER_LOST' }));
    expect(() => adopted.when(adopt(1))).toThrow(expect.objectContaining({ code: 'WORKER_LOST' }));
    expect(() => stored.when(adopt(1))).toThrow(expect.objectContaining({ code: 'WORKER_LOST' }));
  });

  test('does not succeed with the backup of another attempt, after its attempt has ended, or after a request to cancel', () => {
    const otherFolder = { ...adopt(1), result: { ...result, folder: 'f2/' } } as BackupJobCommand;
    expect(() => running.when(otherFolder)).toThrow(expect.objectContaining({ code: 'CONFLICT' }));
    const second = running.then(fail(1, unreachable, 'WORKER_LOST')).then(start(2));
    expect(() => second.when(adopt(1))).toThrow(expect.objectContaining({ code: 'WORKER_LOST' }));
    expect(() => running.then(fail(1, unreachable)).when(adopt(1))).toThrow();
    const cancelling = running.then(cancel).then(adopt(1)).state;
    expect(cancelling).toMatchObject({ status: 'CANCELLED', attempts: [{ outcome: 'CANCELLED' }] });
  });

  test('is not deleted while a restore reads it', () => {
    const read = stored.then({ kind: 'RESERVE', readerId: 'r', at });
    expect(() => read.when(erase)).toThrow(expect.objectContaining({ code: 'CONFLICT' }));
    expect(read.then({ kind: 'RELEASE', readerId: 'r', at }).types(erase)).toEqual(['BackupDeletionDecided']);
  });

  test('can no longer be reserved after the decision to delete it, and is DELETED only after the container has confirmed the deletion', () => {
    const deleting = stored.then(erase);
    expect(deleting.state).toMatchObject({ status: 'SUCCEEDED', availability: 'DELETING' });
    expect(() => deleting.when({ kind: 'RESERVE', readerId: 'r', at })).toThrow();
    expect(deleting.when(erase)).toEqual([]);
    expect(deleting.then({ kind: 'CONFIRM_DELETION', at }).state).toMatchObject({ availability: 'DELETED' });
    expect(stored.when({ kind: 'CONFIRM_DELETION', at })).toEqual([]);
  });

  test('is not deleted while it is held, and refuses a second hold for another reason', () => {
    const held = stored.then(hold);
    expect(() => held.when(erase)).toThrow(expect.objectContaining({ code: 'CONFLICT' }));
    expect(held.when(hold)).toEqual([]);
    expect(() => held.when({ kind: 'HOLD', hold: { reason: 'another', by: 'ben', at } })).toThrow('audit');
    expect(held.then(release).types(erase)).toEqual(['BackupDeletionDecided']);
    expect(stored.when(release)).toEqual([]);
    expect(() => stored.then(erase).when(hold)).toThrow(expect.objectContaining({ code: 'CONFLICT' }));
    expect(() => running.when(hold)).toThrow(expect.objectContaining({ code: 'CONFLICT' }));
  });

  test('is MISSING after the container has reported it missing twice, an hour apart, and STORED again when it is found', () => {
    const absent = (time: string): BackupJobCommand => ({ kind: 'REPORT_ABSENT', at: time });
    const once = stored.then(absent('2026-03-01T06:00:00.000Z'));
    expect(once.state).toMatchObject({ availability: 'STORED' });
    expect(once.when(absent('2026-03-01T06:59:59.999Z'))).toEqual([]);
    const missing = once.then(absent('2026-03-01T07:00:00.000Z'));
    expect(missing.state).toMatchObject({ availability: 'MISSING' });
    expect(() => missing.when({ kind: 'RESERVE', readerId: 'r', at })).toThrow('MISSING');
    const present: BackupJobCommand = { kind: 'REPORT_PRESENT', at };
    expect(missing.then(present).state).toMatchObject({ availability: 'STORED', absentSince: null });
    expect(once.then(present).types(absent('2026-03-01T09:00:00.000Z'))).toEqual(['BackupAbsent']);
    expect(stored.when(present)).toEqual([]);
    expect(missing.types(erase)).toEqual(['BackupDeletionDecided']);
  });

  test("allows the removal of a failed attempt's remains, but never of a running attempt or of the backup", () => {
    const lost = running.then(fail(1, unreachable, 'WORKER_LOST')).then(start(2));
    const void1: BackupJobCommand = { kind: 'VOID_ATTEMPT', attempt: 1, at };
    const gone1: BackupJobCommand = { kind: 'CONFIRM_REMAINS_GONE', attempt: 1, at };
    expect(lost.types(void1)).toEqual(['BackupAttemptVoided']);
    expect(lost.then(void1).when(void1)).toEqual([]);
    expect(lost.then(void1).then(succeed(2)).types(gone1)).toEqual(['BackupRemainsRemoved']);
    expect(lost.then(gone1).when(gone1)).toEqual([]);
    for (const kind of ['VOID_ATTEMPT', 'CONFIRM_REMAINS_GONE'] as const) {
      expect(() => lost.when({ kind, attempt: 2, at })).toThrow('is under way');
      expect(() => lost.then(succeed(2)).when({ kind, attempt: 2, at })).toThrow('made the backup');
      expect(() => lost.when({ kind, attempt: 3, at })).toThrow(expect.objectContaining({ code: 'NOT_FOUND' }));
    }
  });
});

describe('for commands in any order', () => {
  const attempt = fc.integer({ min: 1, max: 4 });
  const command: fc.Arbitrary<BackupJobCommand> = fc.oneof(
    fc.constant(queue),
    attempt.map(start),
    attempt.map(succeed),
    attempt.map(adopt),
    attempt.map((number) => fail(number, unreachable)),
    attempt.map((number) => fail(number, refused, 'WORKER_LOST')),
    attempt.map((number) => fail(number, null, 'HANDED_BACK')),
    fc.constant(cancel),
    attempt.map((number): BackupJobCommand => ({ kind: 'CONFIRM_CANCEL', attempt: number, at })),
    fc.constant<BackupJobCommand>({ kind: 'RESERVE', readerId: 'r', at }),
    fc.constant<BackupJobCommand>({ kind: 'RELEASE', readerId: 'r', at }),
    fc.constant(erase),
    fc.constant<BackupJobCommand>({ kind: 'CONFIRM_DELETION', at }),
    fc.constantFrom(hold, release),
    fc.constantFrom('06', '07', '08').map((hour): BackupJobCommand => ({
      kind: 'REPORT_ABSENT',
      at: `2026-03-01T${hour}:00:00.000Z`,
    })),
    fc.constant<BackupJobCommand>({ kind: 'REPORT_PRESENT', at }),
    attempt.map((number): BackupJobCommand => ({ kind: 'VOID_ATTEMPT', attempt: number, at })),
    attempt.map((number): BackupJobCommand => ({ kind: 'CONFIRM_REMAINS_GONE', attempt: number, at })),
  );

  function play(commands: readonly BackupJobCommand[]): { states: BackupJob[]; events: BackupJobEvent[] } {
    const events: BackupJobEvent[] = [];
    const states: BackupJob[] = [backupJob.initial];
    for (const each of commands) {
      try {
        events.push(...backupJob.decide(each, states.at(-1) ?? backupJob.initial));
      } catch {
        // A refused command appends no event.
      }
      states.push(fold(backupJob, events));
    }
    return { states, events };
  }

  test('a backup job ends at most once, its end never changes, and a deleted backup never comes back', () => {
    fc.assert(
      fc.property(fc.array(command, { maxLength: 40 }), (commands) => {
        const { states, events } = play([queue, ...commands]);
        const ends = events.filter(({ type }) => ['BackupSucceeded', 'BackupFailed', 'BackupCancelled'].includes(type));
        expect(ends.length).toBeLessThanOrEqual(1);
        const ended = states.findIndex(({ status }) => ['SUCCEEDED', 'FAILED', 'CANCELLED'].includes(status));
        if (ended < 0) return;
        const availability = { STORED: 0, MISSING: 0, DELETING: 1, DELETED: 2 };
        let newest = 0;
        for (const state of states.slice(ended)) {
          expect(state.status).toBe(states[ended]?.status);
          if (state.status !== 'SUCCEEDED') continue;
          expect(availability[state.availability]).toBeGreaterThanOrEqual(newest);
          newest = availability[state.availability];
        }
      }),
      { numRuns: 500 },
    );
  });

  test('the backup is the one of the only successful attempt, adopted or not, and its folder is never removed', () => {
    fc.assert(
      fc.property(fc.array(command, { maxLength: 40 }), (commands) => {
        const { states, events } = play([queue, start(1), ...commands]);
        const state = states.at(-1);
        if (state?.status !== 'SUCCEEDED') return;
        const [success, ...others] = events.filter((event) => event.type === 'BackupSucceeded');
        expect(others).toEqual([]);
        const succeeded = state.attempts.filter(({ outcome }) => outcome === 'SUCCEEDED');
        expect(succeeded).toHaveLength(1);
        expect(succeeded[0]).toMatchObject({ number: success?.data.attempt, finishedAt: success?.data.at });
        expect(succeeded[0]?.remains).toBeUndefined();
        if (succeeded[0]?.adoptedBy !== undefined) expect(state.result.folder).toBe(succeeded[0].folder);
        expect(
          events.some(({ type }) => type === 'BackupCancelRequested') && succeeded[0]?.adoptedBy !== undefined,
        ).toBe(false);
      }),
      { numRuns: 500 },
    );
  });

  test('no held or reserved backup is deleted, and the folder of a successful attempt is never removed', () => {
    fc.assert(
      fc.property(fc.array(command, { maxLength: 40 }), (commands) => {
        const { states, events } = play([queue, start(1), succeed(1), ...commands]);
        for (const state of states) {
          if (state.status !== 'SUCCEEDED' || state.availability === 'STORED') continue;
          if (state.availability !== 'MISSING') expect([state.hold, state.readers]).toEqual([null, []]);
        }
        expect(events.map(({ type }) => type)).not.toContain('BackupRemainsRemoved');
      }),
      { numRuns: 500 },
    );
  });
});
