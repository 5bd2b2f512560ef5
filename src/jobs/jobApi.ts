import { Ctx, FieldResolver, Resolver, Root } from 'type-graphql';
import type { DataSource } from 'typeorm';
import type { Engines } from '../engines/engines.js';
import type { Telemetry } from '../postgres/contracts/telemetry.js';
import type { WorkerRegistry } from '../postgres/contracts/workerRegistry.js';
import { findProjects } from '../projects/projectQueries.js';
import { ProjectType } from '../projects/projectType.js';
import { loadKnown } from '../server/loadKnown.js';
import type { RequestContext } from '../server/requestContext.js';
import { ProgressType } from './attemptType.js';
import { AttemptedJobType } from './attemptedJobType.js';
import type { AttemptedJobRow } from './attemptedJobView.js';
import { currentProgress } from './currentProgress.js';
import { waitingMessage } from './waitingMessage.js';

export type JobDependencies = {
  readonly dataSource: DataSource;
  readonly telemetry: Pick<Telemetry, 'latest'>;
  readonly workers: Pick<WorkerRegistry, 'whyWaiting'>;
  readonly engines: Engines;
};

/** The fields of every kind of job that need more than its row. */
@Resolver(() => AttemptedJobType)
export class JobFieldsResolver {
  constructor(private readonly tools: JobDependencies) {}

  private readonly projects = (ids: readonly string[]) => findProjects(this.tools.dataSource.manager, ids);
  private readonly progressOf = (jobs: readonly AttemptedJobRow[]) => currentProgress(this.tools.telemetry, jobs);
  private readonly reasons = async (ids: readonly string[]) => {
    const reasons = await this.tools.workers.whyWaiting(ids);
    return ids.map((id) => reasons.get(id) ?? null);
  };

  @FieldResolver(() => ProjectType)
  async project(@Root() { row }: AttemptedJobType, @Ctx() context: RequestContext): Promise<ProjectType> {
    return ProjectType.of(await loadKnown(context, this.projects, row.projectId, 'project'));
  }

  @FieldResolver(() => ProgressType, {
    nullable: true,
    description: 'Null before the first byte of an attempt, and after the end.',
  })
  progress(@Root() { row }: AttemptedJobType, @Ctx() context: RequestContext): Promise<ProgressType | null> {
    return context.loaders.of(this.progressOf).load(row);
  }

  /**
   * There is no event for the fact that no running worker can run a QUEUED job. So the reason is computed when the
   * message is read.
   */
  @FieldResolver(() => String, { description: 'One sentence for a person, for every status.' })
  async message(@Root() job: AttemptedJobType, @Ctx() context: RequestContext): Promise<string> {
    const { status, id, attempts } = job.row;
    const usual = job.currentMessage();
    const reason = status === 'QUEUED' ? await context.loaders.of(this.reasons).load(id) : null;
    return reason === null ? usual : waitingMessage(reason, this.tools.engines, { usual, attempts });
  }
}
