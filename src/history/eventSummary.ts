import type { FileEndpointEvent } from '../endpoints/fileEndpoint.js';
import type { BackupJobEvent } from '../backups/backupJob.js';
import { formatBytes } from '../backups/formatBytes.js';
import type { EndOfLateness, LatenessEvent } from '../protection/lateness.js';
import type { BackupPlanEvent } from '../plans/backupPlan.js';
import type { AccessTokenEvent } from '../projects/access/accessToken.js';
import type { MembersEvent } from '../projects/access/members.js';
import type { ProjectEvent } from '../projects/project.js';
import type { RestoreJobEvent } from '../restores/restoreJob.js';
import type { DashboardAccessEvent } from '../services/dashboard/dashboardAccess.js';
import type { ServiceEvent } from '../services/service.js';

type AnyEvent =
  | ProjectEvent
  | MembersEvent
  | AccessTokenEvent
  | ServiceEvent
  | DashboardAccessEvent
  | FileEndpointEvent
  | BackupPlanEvent
  | BackupJobEvent
  | LatenessEvent
  | RestoreJobEvent;
type Summaries = {
  readonly [Type in AnyEvent['type']]: (data: Extract<AnyEvent, { type: Type }>['data']) => string;
};

/** One sentence about each type of event, for users. The compiler reports a missing type. */
export const eventSummaries: Summaries = {
  ProjectCreated: ({ name }) => `Project "${name}" was created.`,

  MemberSet: ({ name, sub, role, serviceId }) => `${name ?? sub} became ${role} of ${grantedFor(serviceId)}.`,
  MemberRemoved: ({ sub, serviceId }) => `${sub} is no longer a member of ${grantedFor(serviceId)}.`,
  AccessTokenCreated: ({ content: { name, role, serviceId } }) =>
    `Access token "${name}" was created, as ${role} of ${grantedFor(serviceId)}.`,
  AccessTokenRevoked: () => 'The access token was revoked.',

  ServiceRegistered: ({ settings, engine }) => `Service "${settings.name}" (${engine}) was registered.`,
  ServiceUpdated: ({ changes }) => `The service was changed: ${listed(changes)}.`,
  ServiceChecked: ({ check }) => `The service was checked: ${check.ok ? 'every step passed' : 'a step failed'}.`,
  ServiceRemoved: () => 'The service was removed.',
  DashboardAuthorised: ({ name, sub, serviceId, by }) =>
    `${name ?? sub} authorised the dashboard of service ${serviceId}${by === 'PROVIDER' ? ', at the provider' : ''}.`,

  FileEndpointCreated: ({ content }) => `File endpoint "${content.name}" (${content.settings.kind}) was created.`,
  FileEndpointUpdated: ({ changes }) => `The file endpoint was changed: ${listed(changes)}.`,
  FileEndpointChecked: ({ check }) =>
    `The file endpoint was checked: ${check.ok ? 'every step passed' : 'a step failed'}.`,
  FileEndpointRemoved: () => 'The file endpoint was removed.',

  BackupPlanCreated: ({ content, paused }) =>
    `Backup plan "${content.name}" was created${paused ? ', paused' : ''}: ${content.normalized} in ${content.timeZone}.`,
  BackupPlanUpdated: ({ changes }) => `The backup plan was changed: ${listed(changes)}.`,
  BackupPlanPaused: () => 'The backup plan was paused.',
  BackupPlanResumed: () => 'The backup plan was resumed.',
  BackupPlanRemoved: () => 'The backup plan was removed; its backups stay.',
  TicksMissed: ({ count, from, to, reason }) =>
    count === 1
      ? `The run of ${from} was missed. ${reason}`
      : `${count} runs from ${from} to ${to} were missed. ${reason}`,

  BackupQueued: ({ request }) => `A backup was queued${causes[request.trigger]}.`,
  BackupSkipped: ({ request }) =>
    `The run of ${request.scheduledFor ?? request.queuedAt} was skipped, because an earlier run had not ended.`,
  BackupAttemptStarted: ({ attempt }) => `Worker ${attempt.worker} began attempt ${attempt.number}.`,
  BackupPhaseEntered: ({ attempt, phase }) => `Attempt ${attempt} entered ${phase}.`,
  BackupAttemptEnded: (data) => attemptEnded(data),
  BackupSucceeded: ({ attempt, result, adoptedBy }) =>
    `Attempt ${attempt} succeeded: ${formatBytes(result.sizeBytes)} stored in ${formatBytes(result.storedSizeBytes)}.${
      adoptedBy === undefined
        ? ''
        : ` Its worker was lost before it could record this; worker ${adoptedBy} found the complete backup.`
    }`,
  BackupFailed: ({ error }) => `The backup failed (${error.code}): ${error.message}`,
  BackupCancelRequested: ({ by }) => `${by} asked to cancel the backup.`,
  BackupCancelled: ({ attempt, by }) =>
    `The backup was cancelled by ${by} ${attempt === null ? 'before it had started' : `during attempt ${attempt}`}.`,
  BackupAttemptVoided: ({ attempt }) =>
    `The objects that attempt ${attempt} left in the container are not a backup, and will be deleted.`,
  BackupRemainsRemoved: ({ attempt }) => `The container confirmed that no object of attempt ${attempt} is left.`,
  BackupReserved: ({ readerId }) => `Restore ${readerId} needs the backup from now on.`,
  BackupReleased: ({ readerId }) => `Restore ${readerId} no longer needs the backup.`,
  BackupHeld: ({ hold }) => `${hold.by} holds the backup: ${hold.reason}`,
  BackupHoldReleased: ({ by }) => `${by} released the hold on the backup.`,
  BackupVerified: ({ verification }) => `The backup was verified: ${verification.level}.`,
  BackupAbsent: () => 'The container reports that the bytes of the backup are missing. It is checked again.',
  BackupMissing: () => 'The container reported twice that the bytes of the backup are missing: it is MISSING.',
  BackupFound: () => 'The bytes of the backup were found in the container again.',
  BackupDeletionDecided: ({ reason, by }) =>
    reason === 'RETENTION' ? 'Retention decided to delete the backup.' : `${by} decided to delete the backup.`,
  BackupDeleted: () => 'The container confirmed that the backup is deleted.',

  ServiceBecameLate: ({ serviceName, dataAsOf, dueBy }) =>
    `Service "${serviceName}" is late: its newest backup started at ${dataAsOf}, and a newer backup was due by ${dueBy}.`,
  ServiceRecovered: ({ serviceName, dataAsOf }) =>
    `Service "${serviceName}" is no longer late: it has a backup that started at ${dataAsOf}.`,
  ServiceLatenessEnded: ({ serviceName, reason }) =>
    `Service "${serviceName}" is no longer late, without a newer backup: ${endsOfLateness[reason]}.`,

  RestoreQueued: ({ request }) => `A restore of backup ${request.backupJobId} was queued.`,
  RestoreAttemptStarted: ({ attempt }) => `Worker ${attempt.worker} began attempt ${attempt.number}.`,
  RestorePhaseEntered: ({ attempt, phase }) => `Attempt ${attempt} entered ${phase}.`,
  RestoreToolStarted: ({ attempt }) =>
    `Attempt ${attempt} started the restore tool. From now on nothing is retried automatically.`,
  RestoreAttemptEnded: (data) => attemptEnded(data),
  RestoreSucceeded: ({ attempt, result }) =>
    `Attempt ${attempt} succeeded; ${result.differences.length} differences from the backup were found.`,
  RestoreFailed: ({ error }) => `The restore failed (${error.code}): ${error.message}`,
  RestoreCancelRequested: ({ by }) => `${by} asked to cancel the restore.`,
  RestoreCancelled: ({ by, targetTouched, targetLocked }) => {
    const locked = targetLocked === true ? '. The target stays locked until our sessions there have ended' : '';
    return `The restore was cancelled by ${by}; the target ${targetTouched ? 'may hold a part of the data' : 'was not touched'}${locked}.`;
  },
  RestoreTargetFreed: ({ sessionsEnded }) =>
    sessionsEnded
      ? 'Our sessions on the target have ended, so other jobs can use it again.'
      : 'The target did not answer. It is no longer locked, and statements of the restore may still run there.',
};

/** The sentence about an event of the log. An event of a newer version is described by its type. */
export function eventSummary({ type, data }: { readonly type: string; readonly data: object }): string {
  return isKnown(type) ? (eventSummaries[type] as (data: object) => string)(data) : `${type}.`;
}

function isKnown(type: string): type is AnyEvent['type'] {
  return Object.hasOwn(eventSummaries, type);
}

const endsOfLateness: Readonly<Record<EndOfLateness, string>> = {
  PLAN_PAUSED: 'its plans are paused',
  NO_PLAN: 'it has no plan',
  NO_BACKUP: 'it has no stored backup any more',
  OBJECTIVE_CHANGED: 'its objective was changed',
  SERVICE_REMOVED: 'it was removed',
};

const causes = {
  SCHEDULE: ' by the schedule',
  CATCH_UP: ' to catch up on a missed run',
  MANUAL: ' by hand',
  RETRY: ' to retry a job that did not succeed',
  SAFETY: ' before a restore in place',
} as const;

function attemptEnded(data: {
  readonly attempt: number;
  readonly outcome: 'FAILED' | 'WORKER_LOST' | 'HANDED_BACK';
  readonly error: { readonly code: string; readonly message: string } | null;
  readonly retryAt: string | null;
}): string {
  const next = data.retryAt === null ? '' : ` The next is due at ${data.retryAt}.`;
  const why = data.error === null ? '' : ` (${data.error.code}): ${data.error.message}`;
  switch (data.outcome) {
    case 'HANDED_BACK':
      return `Attempt ${data.attempt} was handed back by a worker that was stopped.${next}`;
    case 'WORKER_LOST':
      return `The worker of attempt ${data.attempt} was lost.${next}`;
    case 'FAILED':
      return why === '' ? `Attempt ${data.attempt} failed.${next}` : `Attempt ${data.attempt} failed${why}${next}`;
  }
}

function grantedFor(serviceId: string | null): string {
  return serviceId === null ? 'the project' : `service ${serviceId}`;
}

/** The names of the changed fields, as words. */
function listed(changes: object): string {
  return Object.keys(changes)
    .map((field) => field.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`))
    .join(', ');
}
