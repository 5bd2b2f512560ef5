import { ArgsType, Field } from 'type-graphql';
import { fold } from '../../eventSourcing/decider.js';
import type { Position } from '../../eventSourcing/event.js';
import type { EventStore } from '../../eventSourcing/eventStore.js';
import {
  jobChangeType,
  JobChangesArguments,
  jobSubscriptions,
  type JobSubscriptionDependencies,
} from '../../jobs/jobSubscriptions.js';
import { backupHandling } from '../backupJobCommands.js';
import { backupJob, type BackupJobEvent, type KnownBackupJob } from '../backupJob.js';
import { backupJobLookup, scopeOfBackupJob, type BackupJobRow } from '../backupJobView.js';
import { checkFilter, filterConditions, fitsForGood, fitsNow, type JobStanding } from './backupJobFilter.js';
import { BackupJobFilter } from './backupJobInput.js';
import { BackupJobType } from './backupJobType.js';

const BackupJobChangeType = jobChangeType('BackupJob', () => BackupJobType);

@ArgsType()
class BackupJobChangesArguments extends JobChangesArguments {
  @Field(() => BackupJobFilter, { nullable: true })
  readonly filter?: BackupJobFilter | null;
}

export function backupSubscriptions(tools: JobSubscriptionDependencies): object {
  return jobSubscriptions<BackupJobRow, BackupJobChangesArguments>(tools, {
    handling: backupHandling,
    lookup: backupJobLookup,
    scopeOf: scopeOfBackupJob,
    JobType: BackupJobType,
    ChangeType: BackupJobChangeType,
    List: BackupJobChangesArguments,
    moreAboutList: ' A job that stops matching is sent one last time.',
    check: (problems, { filter }) => checkFilter(problems, filter),
    filterOf({ filter }) {
      const narrowed = filter ?? {};
      return {
        conditions: filterConditions(filter),
        fits: (row) => fitsForGood(row, narrowed) && fitsNow(row, narrowed),
        async fittedAt(row, position) {
          if (!fitsForGood(row, narrowed)) return false;
          const standing = await standingAt(tools.store, row.id, position);
          return standing !== undefined && fitsNow(standing, narrowed);
        },
      };
    },
  });
}

/** The state of a job at a position in the log. Undefined: the job did not exist yet. */
async function standingAt(store: EventStore, id: string, position: Position): Promise<JobStanding | undefined> {
  const events = await store.read({ streamId: id });
  const until = events.filter((event) => event.position <= position) as unknown as readonly BackupJobEvent[];
  const state = fold(backupJob, until);
  if (state.status === 'NONE') return undefined;
  return {
    status: state.status,
    availability: state.status === 'SUCCEEDED' ? state.availability : null,
    errorCode: errorCodeOf(state),
  };
}

function errorCodeOf(state: KnownBackupJob): string | null {
  if (state.status === 'FAILED') return state.error.code;
  return state.status === 'QUEUED' ? (state.attempts.at(-1)?.error?.code ?? null) : null;
}
