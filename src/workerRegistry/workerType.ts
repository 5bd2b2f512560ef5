import { Field, ID, Int, ObjectType } from 'type-graphql';
import { enumType } from '../server/enumType.js';
import { JobPhaseEnum } from '../jobs/attemptType.js';
import type { BackupPhase } from '../backups/backupJob.js';
import { BackupJobType } from '../backups/api/backupJobType.js';
import type { RestorePhase } from '../restores/restoreJob.js';
import { RestoreJobType } from '../restores/restoreJobType.js';
import { DateTime } from '../server/scalars/dateTime.js';
import type { WorkersJob, WorkerSight, WorkerState } from './workersInSight.js';

export const WorkerStateEnum = enumType(
  'WorkerState',
  ['IDLE', 'BUSY', 'DRAINING', 'LOST', 'GONE'],
  'IDLE: it has no job. BUSY: it has jobs. DRAINING: it is stopping, so it claims no more jobs, and finishes or hands back those in `jobs`. LOST: it has not reported for longer than its lease. It stays in the list for an hour. GONE: it has stopped, or was lost an hour ago. Only the last change about a worker has this state.',
);

export const JobKindEnum = enumType('JobKind', ['BACKUP', 'RESTORE']);

@ObjectType('WorkerEngine', {
  description:
    'A tool that a worker has found, for an engine that it can run. If it has several versions of a tool, each is listed.',
})
export class WorkerEngineType {
  @Field(() => String)
  readonly engine!: string;

  @Field(() => String)
  readonly tool!: string;

  @Field(() => String)
  readonly version!: string;
}

@ObjectType('WorkerJob', { description: 'A job whose lease a worker holds.' })
export class WorkerJobType {
  @Field(() => JobKindEnum)
  readonly kind!: WorkersJob['kind'];

  @Field(() => BackupJobType, { nullable: true, description: 'Null for a RESTORE.' })
  readonly backupJob!: BackupJobType | null;

  @Field(() => RestoreJobType, { nullable: true, description: 'Null for a BACKUP.' })
  readonly restoreJob!: RestoreJobType | null;

  @Field(() => JobPhaseEnum, { nullable: true })
  readonly phase!: BackupPhase | RestorePhase | null;

  @Field(() => Int)
  readonly attempt!: number;

  @Field(() => DateTime, { nullable: true, description: 'When the attempt started.' })
  readonly since!: Date | null;
}

@ObjectType('Worker', { description: 'A process that dumps and restores.' })
export class WorkerType {
  @Field(() => ID, { description: 'A restarted process is another worker.' })
  readonly id!: string;

  @Field(() => String)
  readonly host!: string;

  @Field(() => Int)
  readonly pid!: number;

  @Field(() => DateTime)
  readonly startedAt!: Date;

  @Field(() => DateTime, { description: 'By the clock of PostgreSQL.' })
  readonly lastHeardAt!: Date;

  @Field(() => WorkerStateEnum)
  readonly state!: WorkerState;

  @Field(() => String)
  readonly programVersion!: string;

  @Field(() => Int, { description: 'The number of jobs that it runs at once.' })
  readonly concurrency!: number;

  @Field(() => [WorkerEngineType], { description: 'It claims only jobs of these engines.' })
  readonly engines!: readonly WorkerEngineType[];

  @Field(() => [WorkerJobType], {
    description: 'The jobs that it runs now. For a LOST worker, the jobs that no other worker has taken over yet.',
  })
  readonly jobs!: readonly WorkerJobType[];

  static of({ worker, state, jobs }: WorkerSight): WorkerType {
    const { id, host, pid, startedAt, lastHeardAt, programVersion, concurrency, engines } = worker;
    return {
      ...{ id, host, pid, startedAt, lastHeardAt, state, programVersion, concurrency, engines },
      jobs: jobs.map((job) => ({
        kind: job.kind,
        attempt: job.attempt,
        phase: job.row.phase,
        since: job.row.startedAt,
        backupJob: job.kind === 'BACKUP' ? new BackupJobType(job.row) : null,
        restoreJob: job.kind === 'RESTORE' ? new RestoreJobType(job.row) : null,
      })),
    };
  }
}
