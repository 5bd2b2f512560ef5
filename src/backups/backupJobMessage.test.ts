import { describe, expect, test } from '@jest/globals';
import type { JobError } from '../jobs/attempt.js';
import type { Attempt } from './backupJob.js';
import { backupJobMessage } from './backupJobMessage.js';
import type { BackupJobRow } from './backupJobView.js';
import { formatBytes } from './formatBytes.js';

const at = '2026-03-10T12:00:00.000Z';
const error: JobError = { code: 'STALLED', message: 'Nothing moved.', hint: null, toolOutput: null, retriable: true };
const attempt: Attempt = {
  number: 1,
  worker: 'w',
  startedAt: at,
  folder: 'f/',
  finishedAt: at,
  outcome: 'FAILED',
  error,
};

const job: BackupJobRow = {
  ...{ id: 'job', projectId: 'project', serviceId: 'service', engine: 'MARIADB', planId: null, fileEndpointId: 'e' },
  ...{ trigger: 'MANUAL', batchId: 'batch', requestedBy: 'anna', retryOf: null, standsFor: null, scheduledFor: null },
  maxAttempts: 3,
  ...{ queuedAt: new Date(at), timeoutMs: null, stallTimeoutMs: 1, status: 'QUEUED', availability: null, phase: null },
  ...{ skippedFor: null, startedAt: null, finishedAt: null, retryAt: null, cancelRequestedBy: null, error: null },
  ...{ errorCode: null, attempt: 0, attempts: [], folder: null, parts: [], inventory: null, warnings: [] },
  ...{ sizeBytes: null, storedSizeBytes: null, readers: [], version: 1, absentSince: null, hold: null },
  ...{ verified: null, attemptsWithRemains: [], changes: null, fall: null },
};
const stored: Partial<BackupJobRow> = {
  ...{ status: 'SUCCEEDED', availability: 'STORED', sizeBytes: 12_345_678, storedSizeBytes: 2_345 },
};

const cases: readonly (readonly [Partial<BackupJobRow>, string])[] = [
  [{}, 'Waiting for a worker.'],
  [
    { attempts: [attempt], error, retryAt: new Date(at), attempt: 1 },
    'Try 1 of 3 failed, and the next is due at 2026-03-10T12:00:00.000Z: Nothing moved.',
  ],
  [
    { attempts: [{ ...attempt, outcome: 'HANDED_BACK', error: null }], attempt: 1 },
    'A worker that was stopped has handed the job back. It runs again.',
  ],
  [{ status: 'RUNNING' }, 'The backup is running.'],
  [{ status: 'RUNNING', phase: 'PREFLIGHT' }, 'Checking tools, login and privileges before anything is stored.'],
  [{ status: 'RUNNING', phase: 'DUMPING' }, 'Dumping the databases into the container.'],
  [{ status: 'RUNNING', phase: 'FINALISING' }, 'The dump is complete; combining its segments.'],
  [{ status: 'RUNNING', phase: 'VERIFYING' }, 'Reading the stored objects back and comparing checksums.'],
  [{ status: 'RUNNING', cancelRequestedBy: 'anna' }, 'The backup is being cancelled, as anna requested.'],
  [stored, 'Stored 12 MB of dump in 2.3 kB.'],
  [{ ...stored, warnings: ['one'] }, 'Stored 12 MB of dump in 2.3 kB, with 1 warning.'],
  [
    { ...stored, warnings: ['one'], fall: '2 views gone (shop.a, shop.b); 5 rows in all, as many as before.' },
    'Stored 12 MB of dump in 2.3 kB, with 1 warning. Since the previous backup: 2 views gone (shop.a, shop.b); 5 rows in all, as many as before.',
  ],
  [
    { ...stored, attempts: [{ ...attempt, outcome: 'SUCCEEDED', error: null, adoptedBy: 'v' }] },
    'Stored 12 MB of dump in 2.3 kB. Its worker was lost before it could record this; another worker found the complete backup.',
  ],
  [{ ...stored, availability: 'DELETING' }, 'The backup is being deleted in the container.'],
  [{ ...stored, availability: 'MISSING' }, 'The backup succeeded, but its bytes are no longer in the container.'],
  [{ ...stored, availability: 'DELETED' }, 'The backup succeeded, and was deleted later.'],
  [{ status: 'FAILED', error }, 'Nothing moved.'],
  [{ status: 'CANCELLED', cancelRequestedBy: 'anna' }, 'Cancelled by anna before it had started.'],
  [
    { status: 'CANCELLED', cancelRequestedBy: 'anna', attempt: 2 },
    'Cancelled by anna during attempt 2; nothing of the attempt is kept.',
  ],
  [{ status: 'SKIPPED' }, 'Skipped, because the job of an earlier run of the plan had not ended yet.'],
];

describe('the message of a backup job', () => {
  test.each(cases)('for %j is the expected sentence', (changes, sentence) => {
    expect(backupJobMessage({ ...job, ...changes })).toBe(sentence);
  });

  test.each([
    [0, '0 B'],
    [999, '999 B'],
    [1_000, '1.0 kB'],
    [999_999, '1.0 MB'],
    [9_960_000, '10 MB'],
    [3_400_000_000, '3.4 GB'],
  ])('shows %d bytes as %s', (bytes, text) => {
    expect(formatBytes(bytes)).toBe(text);
  });
});
