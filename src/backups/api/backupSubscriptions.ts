import { Arg, Field, ID, ObjectType, registerEnumType, Resolver, Root, Subscription } from 'type-graphql';
import { In, type DataSource } from 'typeorm';
import type { Position } from '../../eventSourcing/event.js';

import { fold } from '../../eventSourcing/decider.js';
import type { EventStore } from '../../eventSourcing/eventStore.js';
import { findProject } from '../../projects/projectQueries.js';
import { InputProblems, uuid } from '../../server/inputValidation.js';
import type { RequestContext } from '../../server/requestContext.js';
import { authorize, canSee, Requires, type OperationCall } from '../../server/requires.js';
import { PositionScalar } from '../../server/scalars/position.js';
import { visibleProjects } from '../../server/selectPage.js';
import { backupJob, type BackupJobEvent } from '../backupJob.js';
import { checkFilter, filterConditions, fitsForGood, fitsNow, type JobStanding } from './backupJobFilter.js';
import { BackupJobFilter } from './backupJobInput.js';
import { findBackupJob } from './backupJobQueries.js';
import { BackupJobType } from './backupJobType.js';
import { BackupJobTable, type BackupJobRow } from '../backupJobView.js';
import { jobChanges, watchJob, type ChangeKind, type JobChange, type LiveSources } from '../../jobs/jobChanges.js';

export const ChangeKindEnum = {
  SNAPSHOT: 'SNAPSHOT',
  READY: 'READY',
  CHANGED: 'CHANGED',
  PROGRESS: 'PROGRESS',
} as const;
registerEnumType(ChangeKindEnum, {
  name: 'ChangeKind',
  description: 'READY, without a job: what there was to begin with has been told, from here on it is live.',
});

@ObjectType('BackupJobChange')
export class BackupJobChangeType {
  @Field(() => ChangeKindEnum)
  readonly kind!: ChangeKind;

  @Field(() => PositionScalar, {
    description: 'Up to here everything has been told: from READY on, send it as `after` to go on without a gap.',
  })
  readonly position!: Position;

  @Field(() => BackupJobType, { nullable: true })
  readonly job!: BackupJobType | null;
}

export type JobSubscriptionDependencies = LiveSources & { readonly dataSource: DataSource };

/** A class of its own for each API: `subscribe` of type-graphql gets no instance to find its dependencies in. */
export function jobSubscriptions(with_: JobSubscriptionDependencies): object {
  const watched = {
    streamType: backupJob.streamType,
    kind: 'BACKUP',
    load: (id: string) => findBackupJob(with_.dataSource.manager, id),
  } as const;

  async function watchOne(call: OperationCall, { id }: { readonly id: string }) {
    const row = await watched.load(id);
    authorize(call, row?.projectId, 'backup job');
    return watchJob(with_, watched, row.id);
  }

  async function watchAll(call: OperationCall, { projectId, filter, after, progress }: ListArguments) {
    checkFilter(new InputProblems().check('projectId', projectId, uuid), filter).throwIfAny();
    const within = await watchedProjects(with_.dataSource, call, projectId);
    const narrowed = filter ?? {};
    return jobChanges<BackupJobRow>(with_, {
      ...watched,
      after: after ?? undefined,
      withProgress: progress,
      projectIds: within,
      async activeIds() {
        const query = with_.dataSource.manager
          .createQueryBuilder(BackupJobTable, 'row')
          .select('row.id', 'id')
          .where({ status: In(['QUEUED', 'RUNNING']) })
          .orderBy('row.queued_at');
        const conditions = [visibleProjects(within ?? 'ALL', undefined), ...filterConditions(filter)];
        for (const condition of conditions) if (condition !== undefined) query.andWhere(condition[0], condition[1]);
        const rows = await query.getRawMany<{ id: string }>();
        return rows.map(({ id }) => id);
      },
      fits: (row) => canSee(call.context, row.projectId) && fitsForGood(row, narrowed) && fitsNow(row, narrowed),
      async fittedAt(row, position) {
        if (!canSee(call.context, row.projectId) || !fitsForGood(row, narrowed)) return false;
        const standing = await standingAt(with_.store, row.id, position);
        return standing !== undefined && fitsNow(standing, narrowed);
      },
    });
  }

  @Resolver()
  class JobSubscriptionResolver {
    @Subscription(() => BackupJobType, {
      subscribe: ({ args, context, info }) =>
        watchOne({ context: context as RequestContext, info }, args as { id: string }),
      description: 'Its state, then every change and every progress step; completes when the job has ended.',
    })
    @Requires('VIEWER')
    backupJob(@Root() row: BackupJobRow, @Arg('id', () => ID) _id: string): BackupJobType {
      return new BackupJobType(row);
    }

    @Subscription(() => BackupJobChangeType, {
      subscribe: ({ args, context, info }) =>
        watchAll({ context: context as RequestContext, info }, args as ListArguments),
      description:
        'Without after: the active jobs as SNAPSHOT, then READY, then live. With after: each job changed since, once, as it is now, then READY, then live. A job that stops matching is sent one last time.',
    })
    @Requires('VIEWER')
    backupJobChanges(
      @Root() { kind, position, row }: JobChange<BackupJobRow>,
      @Arg('projectId', () => ID, { nullable: true }) _projectId: string | null | undefined,
      @Arg('filter', () => BackupJobFilter, { nullable: true }) _filter: BackupJobFilter | null | undefined,
      @Arg('after', () => PositionScalar, { nullable: true }) _after: Position | null | undefined,
      @Arg('progress', () => Boolean, { defaultValue: false, description: 'At most one PROGRESS a second a job.' })
      _progress: boolean,
    ): BackupJobChangeType {
      return { kind, position, job: row === null ? null : new BackupJobType(row) };
    }
  }
  return new JobSubscriptionResolver();
}

type ListArguments = {
  readonly projectId?: string | null;
  readonly filter?: BackupJobFilter | null;
  readonly after?: Position | null;
  readonly progress: boolean;
};

/** The projects that a subscription hears of; undefined: all. NOT_FOUND for one that is not there or not the viewer's. */
export async function watchedProjects(
  { manager }: DataSource,
  call: OperationCall,
  projectId: string | null | undefined,
): Promise<readonly string[] | undefined> {
  if (!projectId) {
    const visible = call.context.viewer.projectIds();
    return visible === 'ALL' ? undefined : visible;
  }
  const project = await findProject(manager, projectId);
  authorize(call, project?.id, 'project');
  return [project.id];
}

/** Where a job stood at a place in the log; undefined: it was not there yet. */
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

function errorCodeOf(state: Exclude<ReturnType<typeof backupJob.evolve>, { status: 'NONE' }>): string | null {
  if (state.status === 'FAILED') return state.error.code;
  return state.status === 'QUEUED' ? (state.attempts.at(-1)?.error?.code ?? null) : null;
}
