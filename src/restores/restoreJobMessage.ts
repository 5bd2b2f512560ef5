import type { RestoreJobRow } from './restoreJobView.js';

/** One sentence for a person: where a restore job stands, whatever its status. */
export function restoreJobMessage(job: RestoreJobRow): string {
  switch (job.status) {
    case 'QUEUED':
      return queued(job);
    case 'RUNNING':
      return job.cancelRequestedBy === null
        ? running(job)
        : `The restore is being cancelled, as ${job.cancelRequestedBy} asked.`;
    case 'SUCCEEDED':
      return succeeded(job);
    case 'FAILED': {
      const why = job.error?.message ?? 'The restore failed.';
      // Where another restore makes the databases, what is there is not ours.
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
  'It does not answer yet: it is asked to end our sessions there, for 15 minutes at most, and nothing else starts on it until then.';

function queued({ attempts, retryAt, error, maxAttempts }: RestoreJobRow): string {
  if (attempts.length === 0) return 'Waiting for a worker.';
  const when = retryAt === null ? '' : ` at ${retryAt.toISOString()}`;
  if (attempts.at(-1)?.outcome === 'HANDED_BACK') return `Handed back by a worker that was stopped; runs again${when}.`;
  const tries = attempts.filter(({ outcome }) => outcome !== 'HANDED_BACK').length;
  return `Try ${tries} of ${maxAttempts} failed, the next is due${when}: ${error?.message ?? 'the reason is not known.'}`;
}

function running({ phase }: RestoreJobRow): string {
  switch (phase) {
    case null:
      return 'The restore is running.';
    case 'PREFLIGHT':
      return 'Checking tools, login and whether the target is free before anything is sent.';
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
      ? 'Restored; the target holds what the backup holds'
      : `Restored; the target differs from the backup in ${found} ${found === 1 ? 'place' : 'places'}`;
  return warnings.length === 0
    ? `${compared}.`
    : `${compared}, with ${warnings.length} ${warnings.length === 1 ? 'warning' : 'warnings'}.`;
}
