import { queuedMessage, withWarnings } from '../jobs/jobMessage.js';
import { formatBytes } from './formatBytes.js';
import type { BackupJobRow } from './backupJobView.js';

/** The columns that `backupJobMessage` reads. */
export const messageColumns = [
  ...(['status', 'phase', 'availability', 'sizeBytes', 'storedSizeBytes', 'warnings', 'error'] as const),
  ...(['attempt', 'attempts', 'maxAttempts', 'retryAt', 'cancelRequestedBy', 'fall'] as const),
];
type MessageRow = Pick<BackupJobRow, (typeof messageColumns)[number]>;

/** One sentence for a person about a backup job, for every status. */
export function backupJobMessage(job: MessageRow): string {
  switch (job.status) {
    case 'QUEUED':
      return queuedMessage(job);
    case 'RUNNING':
      return job.cancelRequestedBy === null
        ? running(job)
        : `The backup is being cancelled, as ${job.cancelRequestedBy} requested.`;
    case 'SUCCEEDED':
      return succeeded(job);
    case 'FAILED':
      return job.error?.message ?? 'The backup failed.';
    case 'CANCELLED': {
      const by = job.cancelRequestedBy ?? 'somebody';
      return job.attempt === 0
        ? `Cancelled by ${by} before it had started.`
        : `Cancelled by ${by} during attempt ${job.attempt}; nothing of the attempt is kept.`;
    }
    case 'SKIPPED':
      return 'Skipped, because the job of an earlier run of the plan had not ended yet.';
  }
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
      return 'The dump is complete; combining its segments.';
    case 'VERIFYING':
      return 'Reading the stored objects back and comparing checksums.';
  }
}

function succeeded({ availability, sizeBytes, storedSizeBytes, warnings, attempts, fall }: MessageRow): string {
  switch (availability) {
    case 'DELETING':
      return 'The backup is being deleted in the container.';
    case 'MISSING':
      return 'The backup succeeded, but its bytes are no longer in the container.';
    case 'DELETED':
      return 'The backup succeeded, and was deleted later.';
    case 'STORED':
    case null: {
      const dump = sizeBytes === null ? 'the dump' : `${formatBytes(sizeBytes)} of dump`;
      const stored = storedSizeBytes === null ? '' : ` in ${formatBytes(storedSizeBytes)}`;
      const adopted =
        attempts.at(-1)?.adoptedBy === undefined
          ? ''
          : ' Its worker was lost before it could record this; another worker found the complete backup.';
      const fell = fall === null ? '' : ` Since the previous backup: ${fall}`;
      return `Stored ${dump}${stored}${withWarnings(warnings)}.${fell}${adopted}`;
    }
  }
}
