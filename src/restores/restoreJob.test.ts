import { describe, expect, test } from '@jest/globals';
import { given } from '../../test/fixtures/given.js';
import type { JobError } from '../jobs/attempt.js';
import { restoreJob, type RestoreJobCommand, type RestoreRequest } from './restoreJob.js';

const at = '2026-03-01T05:00:00.000Z';
const request: RestoreRequest = {
  backupJobId: 'b',
  targetServiceId: 't',
  engine: 'MARIADB',
  mode: 'AS_NEW',
  requestedBy: 'anna',
  queuedAt: at,
  maxAttempts: 3,
  stallTimeoutMs: 600_000,
};
const unreachable: JobError = {
  code: 'ENDPOINT_UNREACHABLE',
  message: 'The container does not answer.',
  hint: null,
  toolOutput: null,
  retriable: true,
};
const start = (number: number): RestoreJobCommand => ({
  kind: 'START_ATTEMPT',
  attempt: { number, worker: `w${number}`, startedAt: at },
});
const fail = (attempt: number, outcome: 'FAILED' | 'WORKER_LOST' | 'HANDED_BACK', error: JobError | null) =>
  ({ kind: 'FAIL_ATTEMPT', attempt, outcome, error, at, retryAt: at }) as const;

const running = given(restoreJob).then({ kind: 'QUEUE', request }).then(start(1));
const restoring = running.then({ kind: 'START_TOOL', attempt: 1, databases: ['shop'], at });

describe('a restore job', () => {
  test('is retried after a temporary failure only if no statement can have reached the target', () => {
    expect(running.then(fail(1, 'FAILED', unreachable)).state.status).toBe('QUEUED');
    expect(restoring.then(fail(1, 'FAILED', unreachable)).state.status).toBe('FAILED');
  });

  test('is never started again if its worker was lost after the tool started', () => {
    expect(running.then(fail(1, 'WORKER_LOST', unreachable)).state.status).toBe('QUEUED');
    expect(restoring.types(fail(1, 'WORKER_LOST', unreachable))).toEqual(['RestoreAttemptEnded', 'RestoreFailed']);
  });

  test('waits for another worker if a draining worker hands it back before the tool started', () => {
    expect(running.then(fail(1, 'HANDED_BACK', null)).state.status).toBe('QUEUED');
    expect(() => restoring.when(fail(1, 'HANDED_BACK', null))).toThrow(expect.objectContaining({ code: 'INTERNAL' }));
  });

  test('records at its cancellation whether the target was touched', () => {
    const cancel: RestoreJobCommand = { kind: 'REQUEST_CANCEL', by: 'anna', at };
    const confirm: RestoreJobCommand = { kind: 'CONFIRM_CANCEL', attempt: 1, at };
    expect(running.then(cancel).when(confirm)).toMatchObject([{ data: { targetTouched: false, by: 'anna' } }]);
    expect(restoring.then(cancel).when(confirm)).toMatchObject([
      { data: { targetTouched: true, databases: ['shop'] } },
    ]);
    expect(restoring.then(cancel).when(cancel)).toEqual([]);
  });

  test('keeps its target locked if it is cancelled while the target does not answer, until the target is freed once', () => {
    const free: RestoreJobCommand = { kind: 'FREE_TARGET', sessionsEnded: true, at };
    const confirm: RestoreJobCommand = { kind: 'CONFIRM_CANCEL', attempt: 1, targetUnanswered: true, at };
    const locked = restoring.then(confirm);
    expect(locked.state).toMatchObject({ status: 'CANCELLED', targetLocked: true });
    expect(locked.when({ kind: 'REQUEST_CANCEL', by: 'anna', at })).toEqual([]);
    expect(locked.types(free)).toEqual(['RestoreTargetFreed']);
    expect(locked.then(free).state).toMatchObject({ status: 'CANCELLED', targetLocked: false });
    expect(locked.then(free).when(free)).toEqual([]);
    expect(running.then(confirm).state).toMatchObject({ targetLocked: false });
    expect(restoring.when(free)).toEqual([]);
  });

  test('can be ended only by the attempt that runs', () => {
    const other: RestoreJobCommand = { kind: 'SUCCEED', attempt: 2, result: { warnings: [], differences: [] }, at };
    expect(() => running.when(other)).toThrow(expect.objectContaining({ code: 'WORKER_LOST' }));
    const done = running.then({ ...other, attempt: 1 });
    expect(done.state.status).toBe('SUCCEEDED');
    expect(() => done.when(fail(1, 'FAILED', unreachable))).toThrow(expect.objectContaining({ code: 'WORKER_LOST' }));
  });
});
