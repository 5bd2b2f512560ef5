import { formatBytes } from './formatBytes.js';
import type { BackupJobRow } from './backupJobView.js';

/** What the message of a job is made of. */
export const messageColumns = [
  ...(['status', 'phase', 'availability', 'sizeBytes', 'storedSizeBytes', 'warnings', 'error'] as const),
  ...(['attempt', 'attempts', 'maxAttempts', 'retryAt', 'cancelRequestedBy'] as const),
];
type MessageRow = Pick<BackupJobRow, (typeof messageColumns)[number]>;

/** One sentence for a person: where a backup job stands, whatever its status. */
export function backupJobMessage(job: MessageRow): string {
  switch (job.status) {
    case 'QUEUED':
      return queued(job);
    case 'RUNNING':
      return job.cancelRequestedBy === null
        ? running(job)
        : `The backup is being cancelled, as ${job.cancelRequestedBy} asked.`;
    case 'SUCCEEDED':
      return succeeded(job);
    case 'FAILED':
      return job.error?.message ?? 'The backup failed.';
    case 'CANCELLED': {
      const by = job.cancelRequestedBy ?? 'somebody';
      return job.attempt === 0
        ? `Cancelled by ${by} before it had started.`
        : `Cancelled by ${by} during attempt ${job.attempt}; nothing of it is kept.`;
    }
    case 'SKIPPED':
      return 'Skipped, because the job of an earlier run of the plan had not ended yet.';
  }
}

function queued({ attempts, retryAt, error, maxAttempts }: MessageRow): string {
  if (attempts.length === 0) return 'Waiting for a worker.';
  const when = retryAt === null ? '' : ` at ${retryAt.toISOString()}`;
  if (attempts.at(-1)?.outcome === 'HANDED_BACK') return `Handed back by a worker that was stopped; runs again${when}.`;
  const tries = attempts.filter(({ outcome }) => outcome !== 'HANDED_BACK').length;
  return `Try ${tries} of ${maxAttempts} failed, the next is due${when}: ${error?.message ?? 'the reason is not known.'}`;
}

function running({ phase }: MessageRow): string {
  switch (phase) {
    case null:
      return 'The backup is running.';
    case 'PREFLIGHT':
      return 'Checking tools, login and privileges before anything is stored.';
    case 'DUMPING':
      return 'Dumping the databases into the container.';
    case 'FINALISING':
      return 'The dump is complete; putting its segments together.';
    case 'VERIFYING':
      return 'Reading back what was stored and comparing checksums.';
  }
}

function succeeded({ availability, sizeBytes, storedSizeBytes, warnings, attempts }: MessageRow): string {
  switch (availability) {
    case 'DELETING':
      return 'The backup is being deleted in the container.';
    case 'MISSING':
      return 'The backup succeeded, but its bytes are not in the container any more.';
    case 'DELETED':
      return 'The backup succeeded, and was deleted later.';
    default: {
      const dump = sizeBytes === null ? 'the dump' : `${formatBytes(sizeBytes)} of dump`;
      const stored = storedSizeBytes === null ? '' : ` in ${formatBytes(storedSizeBytes)}`;
      const warned =
        warnings.length === 0 ? '' : `, with ${warnings.length} ${warnings.length === 1 ? 'warning' : 'warnings'}`;
      const adopted =
        attempts.at(-1)?.adoptedBy === undefined
          ? ''
          : ' Its worker was lost before it could say so; another found the backup complete.';
      return `Stored ${dump}${stored}${warned}.${adopted}`;
    }
  }
}
