import { Arg, Args, ArgsType, Field, ID, ObjectType, Resolver, Root, Subscription, type ClassType } from 'type-graphql';
import type { DataSource, EntitySchema } from 'typeorm';
import type { Position } from '../eventSourcing/event.js';
import { watchedProjects } from '../projects/watchedProjects.js';
import { InputProblems, uuid } from '../server/inputValidation.js';
import { authorizedRow, type Lookup } from '../server/lookup.js';
import { enumType } from '../server/enumType.js';
import type { RequestContext } from '../server/requestContext.js';
import { canSee, Requires, type OperationCall } from '../server/requires.js';
import { rowsById } from '../server/rowsById.js';
import { sharedLoad } from '../server/sharedLoad.js';
import { PositionScalar } from '../server/scalars/position.js';
import type { StoredScope } from '../server/scope.js';
import { visibleRows } from '../server/visibleRows.js';
import type { Condition } from '../server/tableReader.js';
import type { AttemptedJobType } from './attemptedJobType.js';
import type { AttemptedJobRow } from './attemptedJobView.js';
import type { JobHandling } from './jobCommands.js';
import {
  jobChanges,
  watchJob,
  type ChangeKind,
  type JobChange,
  type LiveSources,
  type WatchedJobs,
} from './jobChanges.js';

export const ChangeKindEnum = enumType(
  'ChangeKind',
  ['SNAPSHOT', 'READY', 'CHANGED', 'PROGRESS'],
  'READY has no job. It means that everything before it was sent, and that live changes follow.',
);

type JobChangeNode = {
  readonly kind: ChangeKind;
  readonly position: Position;
  readonly job: AttemptedJobType | null;
};

/** The GraphQL type of a change in a list of jobs, for example `jobChangeType('BackupJob', () => BackupJobType)`. */
export function jobChangeType(name: string, jobType: () => ClassType<AttemptedJobType>): ClassType<JobChangeNode> {
  @ObjectType(`${name}Change`)
  class JobChangeType {
    @Field(() => ChangeKindEnum)
    readonly kind!: ChangeKind;

    @Field(() => PositionScalar, {
      description:
        'Every change up to this position has been sent. From READY on, you can send it as `after` to continue without a gap.',
    })
    readonly position!: Position;

    @Field(() => jobType(), { nullable: true })
    readonly job!: AttemptedJobType | null;
  }
  return JobChangeType;
}

/** The arguments of a subscription to a list of jobs. A kind adds its own filter. */
@ArgsType()
export class JobChangesArguments {
  @Field(() => ID, { nullable: true })
  readonly projectId?: string | null;

  @Field(() => PositionScalar, { nullable: true })
  readonly after?: Position | null;

  @Field(() => Boolean, { defaultValue: false, description: 'At most one PROGRESS a second for each job.' })
  readonly progress!: boolean;
}

/** The properties of one kind of job that the subscriptions need. */
export interface WatchedKind<Row extends AttemptedJobRow, List extends JobChangesArguments> {
  /** For BACKUP the subscriptions are `backupJob` and `backupJobChanges`. */
  readonly handling: JobHandling;
  readonly lookup: Lookup<Row>;
  readonly scopeOf: StoredScope<Row>;
  readonly JobType: ClassType<AttemptedJobType<Row>> & (new (row: Row) => AttemptedJobType<Row>);
  readonly ChangeType: ClassType<JobChangeNode>;
  readonly List: ClassType<List>;
  /** The end of the description of the list, after the common part. */
  readonly moreAboutList?: string;
  /** Adds the problems of the kind's own arguments. */
  check(problems: InputProblems, list: List): InputProblems;
  /** The kind's own filter. */
  filterOf(list: List): JobFilter<Row>;
}

export type JobFilter<Row> = {
  /** The filter as SQL conditions on `row`. */
  readonly conditions: readonly (Condition | undefined)[];
  readonly fits: (row: Row) => boolean;
  /**
   * Whether the job matched the filter at that position in the log. Absent: the filter uses only properties that never
   * change.
   */
  readonly fittedAt?: (row: Row, position: Position) => Promise<boolean>;
};

const aboutList =
  'Without after: the active jobs as SNAPSHOT, then READY, then live changes. With after: each job that changed since then, once and in its current state, then READY, then live changes.';

export type JobSubscriptionDependencies = LiveSources & { readonly dataSource: DataSource };

/**
 * The subscriptions of one kind of job. Each API gets a class of its own, because `subscribe` of type-graphql cannot
 * access the instance.
 */
export function jobSubscriptions<Row extends AttemptedJobRow, List extends JobChangesArguments>(
  tools: JobSubscriptionDependencies,
  watched: WatchedKind<Row, List>,
): object {
  const { handling, JobType, ChangeType } = watched;
  const kind = handling.name.toLowerCase();
  const jobs = new VisibleJobs(tools, watched);

  @Resolver()
  class JobSubscriptionResolver {
    @Subscription(() => JobType, {
      name: `${kind}Job`,
      subscribe: ({ args, context, info }) =>
        jobs.one({ context: context as RequestContext, info }, args as { id: string }),
      description:
        'Sends the state of the job, then every change and every progress step. Completes when the job has ended.',
    })
    @Requires('VIEWER')
    one(@Root() row: Row, @Arg('id', () => ID) _id: string): AttemptedJobType<Row> {
      return new JobType(row);
    }

    @Subscription(() => ChangeType, {
      name: `${kind}JobChanges`,
      subscribe: ({ args, context, info }) => jobs.all({ context: context as RequestContext, info }, args as List),
      description: `${aboutList}${watched.moreAboutList ?? ''}`,
    })
    @Requires('VIEWER')
    changes(@Root() { kind, position, row }: JobChange<Row>, @Args(() => watched.List) _list: List): JobChangeNode {
      return { kind, position, job: row === null ? null : new JobType(row) };
    }
  }
  return new JobSubscriptionResolver();
}

/** The jobs of one kind, as a caller may see them. Checks arguments and rights first. */
class VisibleJobs<Row extends AttemptedJobRow, List extends JobChangesArguments> {
  readonly #source: WatchedJobs<Row>;

  constructor(
    private readonly tools: JobSubscriptionDependencies,
    private readonly watched: WatchedKind<Row, List>,
  ) {
    const { handling, lookup } = watched;
    this.#source = {
      streamType: handling.decider.streamType,
      kind: handling.name,
      load: sharedLoad((ids) => rowsById<Row>(tools.dataSource.manager, lookup.table, ids)),
    };
  }

  async one(call: OperationCall, { id }: { readonly id: string }) {
    const row = await authorizedRow(call, this.tools.dataSource.manager, this.watched.lookup, id);
    return watchJob(this.tools, this.#source, row.id);
  }

  async all(call: OperationCall, list: List) {
    const { projectId, after, progress } = list;
    const { lookup, scopeOf } = this.watched;
    const { dataSource } = this.tools;
    this.watched.check(new InputProblems().check('projectId', projectId, uuid), list).throwIfAny();
    const within = await watchedProjects(dataSource, call, projectId);
    const { conditions, fits, fittedAt } = this.watched.filterOf(list);
    return jobChanges<Row>(this.tools, {
      ...this.#source,
      after: after ?? undefined,
      withProgress: progress,
      projectIds: within,
      activeIds: () =>
        activeIds(dataSource, lookup.table, [
          visibleRows(call.context.viewer, projectId, scopeOf.serviceColumn),
          ...conditions,
        ]),
      fits: (row) => canSee(call.context, row, scopeOf) && fits(row),
      fittedAt: async (row, position) =>
        fittedAt !== undefined && canSee(call.context, row, scopeOf) && (await fittedAt(row, position)),
    });
  }
}

async function activeIds<Row extends AttemptedJobRow>(
  { manager }: DataSource,
  table: EntitySchema<Row>,
  conditions: readonly (Condition | undefined)[],
): Promise<readonly string[]> {
  const query = manager
    .createQueryBuilder(table, 'row')
    .select('row.id', 'id')
    .where('row.status = ANY(:active)', { active: ['QUEUED', 'RUNNING'] })
    .orderBy('row.queued_at');
  for (const condition of conditions) if (condition !== undefined) query.andWhere(`(${condition[0]})`, condition[1]);
  const rows = await query.getRawMany<{ id: string }>();
  return rows.map(({ id }) => id);
}
