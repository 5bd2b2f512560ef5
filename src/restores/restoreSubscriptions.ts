import { Arg, Field, ID, ObjectType, Resolver, Root, Subscription } from 'type-graphql';
import { In, type DataSource } from 'typeorm';
import type { Position } from '../eventSourcing/event.js';
import { jobChanges, watchJob, type ChangeKind, type JobChange, type LiveSources } from '../jobs/jobChanges.js';
import { ChangeKindEnum, watchedProjects } from '../backups/api/backupSubscriptions.js';
import { InputProblems, uuid } from '../server/inputValidation.js';
import type { RequestContext } from '../server/requestContext.js';
import { authorize, canSee, Requires, type OperationCall } from '../server/requires.js';
import { PositionScalar } from '../server/scalars/position.js';
import { visibleProjects } from '../server/selectPage.js';
import { restoreJob } from './restoreJob.js';
import { findRestoreJob } from './restoreJobQueries.js';
import { RestoreJobType } from './restoreJobType.js';
import { RestoreJobTable, type RestoreJobRow } from './restoreJobView.js';

@ObjectType('RestoreJobChange')
export class RestoreJobChangeType {
  @Field(() => ChangeKindEnum)
  readonly kind!: ChangeKind;

  @Field(() => PositionScalar, {
    description: 'Up to here everything has been told: from READY on, send it as `after` to go on without a gap.',
  })
  readonly position!: Position;

  @Field(() => RestoreJobType, { nullable: true })
  readonly job!: RestoreJobType | null;
}

export type RestoreSubscriptionDependencies = LiveSources & { readonly dataSource: DataSource };

/** A class of its own for each API: `subscribe` of type-graphql gets no instance to find its dependencies in. */
export function restoreSubscriptions(with_: RestoreSubscriptionDependencies): object {
  const watched = {
    streamType: restoreJob.streamType,
    kind: 'RESTORE',
    load: (id: string) => findRestoreJob(with_.dataSource.manager, id),
  } as const;

  async function watchOne(call: OperationCall, { id }: { readonly id: string }) {
    const row = await watched.load(id);
    authorize(call, row?.projectId, 'restore job');
    return watchJob(with_, watched, row.id);
  }

  async function watchAll(call: OperationCall, { projectId, serviceId, after, progress }: ListArguments) {
    new InputProblems().check('projectId', projectId, uuid).check('serviceId', serviceId, uuid).throwIfAny();
    const within = await watchedProjects(with_.dataSource, call, projectId);
    const targetServiceId = serviceId?.toLowerCase();
    return jobChanges<RestoreJobRow>(with_, {
      ...watched,
      after: after ?? undefined,
      withProgress: progress,
      projectIds: within,
      async activeIds() {
        const query = with_.dataSource.manager
          .createQueryBuilder(RestoreJobTable, 'row')
          .select('row.id', 'id')
          .where({ status: In(['QUEUED', 'RUNNING']), ...(targetServiceId ? { targetServiceId } : {}) })
          .orderBy('row.queued_at');
        const visible = visibleProjects(within ?? 'ALL', undefined);
        if (visible !== undefined) query.andWhere(visible[0], visible[1]);
        const rows = await query.getRawMany<{ id: string }>();
        return rows.map(({ id }) => id);
      },
      fits: (row) =>
        canSee(call.context, row.projectId) &&
        (targetServiceId === undefined || row.targetServiceId === targetServiceId),
      // Project and target are a restore's for good: what does not fit never did.
      fittedAt: () => Promise.resolve(false),
    });
  }

  @Resolver()
  class RestoreSubscriptionResolver {
    @Subscription(() => RestoreJobType, {
      subscribe: ({ args, context, info }) =>
        watchOne({ context: context as RequestContext, info }, args as { id: string }),
      description: 'Its state, then every change and every progress step; completes when the job has ended.',
    })
    @Requires('VIEWER')
    restoreJob(@Root() row: RestoreJobRow, @Arg('id', () => ID) _id: string): RestoreJobType {
      return new RestoreJobType(row);
    }

    @Subscription(() => RestoreJobChangeType, {
      subscribe: ({ args, context, info }) =>
        watchAll({ context: context as RequestContext, info }, args as ListArguments),
      description:
        'Without after: the active jobs as SNAPSHOT, then READY, then live. With after: each job changed since, once, as it is now, then READY, then live.',
    })
    @Requires('VIEWER')
    restoreJobChanges(
      @Root() { kind, position, row }: JobChange<RestoreJobRow>,
      @Arg('projectId', () => ID, { nullable: true }) _projectId: string | null | undefined,
      @Arg('serviceId', () => ID, { nullable: true, description: 'The target.' }) _serviceId: string | null | undefined,
      @Arg('after', () => PositionScalar, { nullable: true }) _after: Position | null | undefined,
      @Arg('progress', () => Boolean, { defaultValue: false, description: 'At most one PROGRESS a second a job.' })
      _progress: boolean,
    ): RestoreJobChangeType {
      return { kind, position, job: row === null ? null : new RestoreJobType(row) };
    }
  }
  return new RestoreSubscriptionResolver();
}

type ListArguments = {
  readonly projectId?: string | null;
  readonly serviceId?: string | null;
  readonly after?: Position | null;
  readonly progress: boolean;
};
