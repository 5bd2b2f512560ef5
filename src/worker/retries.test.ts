import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { readFileSync } from 'node:fs';
import { given } from '../../test/fixtures/given.js';
import { catalogue, StowageError, type ErrorCode } from '../errors.js';
import { backupJob, type BackupRequest } from '../backups/backupJob.js';
import { longestPauseMs } from '../postgres/contracts/jobQueue.js';
import { jobError } from './runs/jobError.js';
import { retryDelay } from './retryDelay.js';

const at = '2026-03-01T05:00:00.000Z';
const domain = readFileSync('docs/domain.md', 'utf8');

/** The rows of the table of failure codes in docs/domain.md: code, meaning, whether it is transient. */
const rows = [...domain.matchAll(/^\| `(?<code>[A-Z_]+)` \| .* \| (?<transient>yes)? ?\|$/gm)].map(
  ({ groups }) => groups,
);
const codesOf = (table: typeof rows): readonly ErrorCode[] =>
  table.map((row) => row?.['code'] ?? '').filter((code): code is ErrorCode => code in catalogue);

const failureCodes = codesOf(rows);
const transientCodes = codesOf(rows.filter((row) => row?.['transient'] === 'yes'));

describe('A retry', () => {
  test('follows exactly the failures whose codes the docs call transient', () => {
    expect(failureCodes).toHaveLength(25);
    expect(failureCodes.filter((code) => catalogue[code].retriable).sort()).toEqual([...transientCodes].sort());
  });

  test('follows a transient failure until the attempts are used up; each attempt keeps its own error', () => {
    const attempts = fc.array(fc.constantFrom(...failureCodes), { minLength: 1, maxLength: 6 });
    fc.assert(
      fc.property(attempts, fc.integer({ min: 1, max: 5 }), (codes, maxAttempts) => {
        let job = given(backupJob).then({ kind: 'QUEUE', request: { ...request, maxAttempts } });
        let failures: readonly ErrorCode[] = [];
        for (const [index, code] of codes.entries()) {
          if (job.state.status !== 'QUEUED') break;
          const number = index + 1;
          failures = [...failures, code];
          job = job
            .then({ kind: 'START_ATTEMPT', attempt: { number, worker: 'w', startedAt: at, folder: `${number}/` } })
            .then({
              ...{ kind: 'FAIL_ATTEMPT', attempt: number, at, retryAt: at },
              outcome: code === 'WORKER_LOST' ? 'WORKER_LOST' : 'FAILED',
              error: jobError(new StowageError(code, `It was ${code}.`)),
            });
          const again = transientCodes.includes(code) && number < maxAttempts;
          expect(job.state.status).toBe(again ? 'QUEUED' : 'FAILED');
        }
        if (job.state.status === 'NONE') throw new Error('The job is gone.');
        expect(job.state.attempts.map(({ error }) => error?.code)).toEqual(failures);
      }),
    );
  });

  test('waits twice as long after each failure, at most 15 minutes; half of the pause is random', () => {
    const chance = fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true });
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 10_000 }),
        fc.integer({ min: 1, max: 600_000 }),
        chance,
        (failures, baseMs, random) => {
          const wholeMs = Math.min(longestPauseMs, baseMs * 2 ** (failures - 1));
          const delayMs = retryDelay(failures, baseMs, random);
          expect(delayMs).toBeGreaterThanOrEqual(Math.floor(wholeMs / 2));
          expect(delayMs).toBeLessThanOrEqual(wholeMs + 1);
        },
      ),
    );
    expect(retryDelay(1, 30_000, 0)).toBe(15_000);
    expect(retryDelay(3, 30_000, 0.5)).toBe(90_000);
  });

  test('does not follow an unknown error', () => {
    expect(jobError(new TypeError('oops'))).toMatchObject({ code: 'INTERNAL', retriable: false });
  });
});

const request: Omit<BackupRequest, 'maxAttempts'> = {
  ...{ serviceId: 's', engine: 'MARIADB', planId: null, fileEndpointId: 'e', trigger: 'MANUAL', batchId: 'b' },
  ...{ requestedBy: 'anna', retryOf: null, scheduledFor: null, queuedAt: at, timeoutMs: null, stallTimeoutMs: 1 },
};
