import { queuedMessage, withWarnings } from '../jobs/jobMessage.js';
import type { RestoreJobRow } from './restoreJobView.js';

/** One sentence for a person about a restore job, for every status. */
export function restoreJobMessage(job: RestoreJobRow): string {
  switch (job.status) {
    case 'QUEUED':
      return queuedMessage(job);
    case 'RUNNING':
      return job.cancelRequestedBy === null
        ? running(job)
        : `The restore is being cancelled, as ${job.cancelRequestedBy} requested.`;
    case 'SUCCEEDED':
      return succeeded(job);
    case 'FAILED': {
      const why = job.error?.message ?? 'The restore failed.';
      // TARGET_EXISTS: another restore creates the databases, and they are not ours.
      const touched = job.toolStarted && job.error?.code !== 'TARGET_EXISTS';
      return touched ? `${why} The target may hold a part of the data.` : why;
    }
    case 'CANCELLED': {
      const by = job.cancelRequestedBy ?? 'somebody';
      if (job.attempt === 0) return `Cancelled by ${by} before it had started.`;
      if (!job.toolStarted) return `Cancelled by ${by} before anything reached the target.`;
      const message = `Cancelled by ${by} during the restore; the target may hold a part of the data.`;
      return job.targetLocked ? `${message} ${stillLocked}` : message;
    }
  }
}

const stillLocked =
  'The target does not answer yet. Stowage asks it for up to 15 minutes to end our sessions there, and starts no other job on it until then.';

function running({ phase }: RestoreJobRow): string {
  switch (phase) {
    case null:
      return 'The restore is running.';
    case 'PREFLIGHT':
      return 'Before anything is sent: checking the tools, the login and whether the target is free.';
    case 'FETCHING':
      return 'Reading the backup and comparing its checksums before the first statement runs.';
    case 'RESTORING':
      return 'Restoring the data into the target.';
    case 'CHECKING':
      return "Comparing the target with the backup's inventory.";
  }
}

function succeeded({ differences, warnings }: RestoreJobRow): string {
  const found = differences?.length ?? 0;
  const compared =
    found === 0
      ? 'Restored; the target has everything that the backup contains'
      : `Restored; the target differs from the backup in ${found} ${found === 1 ? 'place' : 'places'}`;
  return `${compared}${withWarnings(warnings)}.`;
}
