import { Arg, Ctx, Int, Query, Resolver } from 'type-graphql';
import { notFound } from '../errors.js';
import { parseFrequency, type ParsedFrequency } from '../scheduler/cron/parseFrequency.js';
import { runsBetween } from '../scheduler/cron/runsBetween.js';
import { InputProblems, integerWithin } from '../server/inputValidation.js';
import type { RequestContext } from '../server/requestContext.js';
import { canSee, Requires } from '../server/requires.js';
import type { PlanDependencies } from './planApi.js';
import type { RetentionDraftInput } from './planInput.js';
import { RetentionPreviewInput } from './planInput.js';
import { findBackupPlan } from './planQueries.js';
import { checkedRetention, checkSchedule } from './planRules.js';
import { RetentionDayType } from './planType.js';
import { daysFrom } from './retention/retentionCalendar.js';
import type { RetentionPolicy } from './retention/retentionPolicy.js';
import { previewRetention, type PreviewedDestination, type SizedBackup } from './retention/retentionPreview.js';

const mostDays = 366;
/** About half a second of reckoning with GFS. */
const mostRuns = 20_000;
/** So that all that are kept stay within a BigInt. */
const largestOne = Math.floor(Number.MAX_SAFE_INTEGER / mostRuns);

/** What there is of a plan's backups, as the slice of jobs knows it. */
export type PlansBackups = {
  /** Every endpoint where the plan has stored backups. */
  readonly destinations: readonly { readonly fileEndpointId: string; readonly backups: readonly SizedBackup[] }[];
  /** Its jobs that have not ended, by the schedule: they make backups too. */
  readonly runsUnderWay: readonly { readonly fileEndpointId: string; readonly startedAt: Date }[];
  /** The median stored size of its last 10 successes; undefined while there is none. */
  readonly usualSizeBytes: number | undefined;
};

type Previewed = {
  readonly policy: RetentionPolicy;
  readonly timeZone: string;
  readonly destinations: readonly PreviewedDestination[];
  readonly sizeOfOneBytes: number;
};

@Resolver()
export class RetentionPreviewResolver {
  constructor(
    private readonly with_: Pick<PlanDependencies, 'dataSource' | 'now' | 'minIntervalMs' | 'backupsOfPlan'>,
  ) {}

  @Query(() => [RetentionDayType], {
    description:
      'Day by day from today, what would be kept and deleted if every run succeeds, all destinations together. A plan’s runs to come take its usual size.',
  })
  @Requires('VIEWER')
  async retentionPreview(
    @Arg('input', () => RetentionPreviewInput) input: RetentionPreviewInput,
    @Arg('days', () => Int, { defaultValue: 30, description: `1 to ${mostDays}.` }) days: number,
    @Ctx() context: RequestContext,
  ): Promise<RetentionDayType[]> {
    const now = this.with_.now();
    const problems = new InputProblems().check('days', days, integerWithin(1, mostDays));
    const previewed =
      input.draft === undefined
        ? await this.ofPlan(input.planId ?? '', { context, problems, days, now })
        : this.ofDraft(input.draft, { problems, days, now });
    return previewRetention({ ...previewed, now, days }).map(({ storedSizeBytes, ...day }) => ({
      ...day,
      storedSize: storedSizeBytes,
    }));
  }

  private async ofPlan(
    planId: string,
    { context, problems, ...span }: { context: RequestContext; problems: InputProblems; days: number; now: Date },
  ): Promise<Previewed> {
    const plan = await findBackupPlan(this.with_.dataSource.manager, planId);
    if (plan === null || !canSee(context, plan.projectId)) throw notFound('backup plan');
    problems.throwIfAny();
    const { timeZone, fileEndpointIds, paused, removedAt } = plan;
    const isActive = !paused && removedAt === null;
    const schedule = { frequency: parseFrequency(plan.normalized), timeZone };
    const runs = isActive ? runsWithin(problems, schedule, span, fileEndpointIds.length) : [];
    const { destinations, runsUnderWay, usualSizeBytes } = await this.with_.backupsOfPlan(plan.id, span.now);
    const backupsAt = new Map(destinations.map(({ fileEndpointId, backups }) => [fileEndpointId, backups]));
    const endpointIds = new Set([
      ...fileEndpointIds,
      ...backupsAt.keys(),
      ...runsUnderWay.map(({ fileEndpointId }) => fileEndpointId),
    ]);
    const begunAt = (id: string) =>
      runsUnderWay.filter(({ fileEndpointId }) => fileEndpointId === id).map(({ startedAt }) => startedAt);
    return {
      // A plan that was removed deletes nothing.
      policy: removedAt === null ? plan.retention : { style: 'ALL' },
      timeZone,
      destinations: [...endpointIds].map((id) => ({
        backups: backupsAt.get(id) ?? [],
        runs: [...begunAt(id), ...(fileEndpointIds.includes(id) ? runs : [])],
      })),
      sizeOfOneBytes: usualSizeBytes ?? 0,
    };
  }

  private ofDraft(
    draft: RetentionDraftInput,
    { problems, ...span }: { problems: InputProblems; days: number; now: Date },
  ): Previewed {
    const { minIntervalMs } = this.with_;
    const typed = { typed: draft.frequency, timeZone: draft.timeZone };
    const schedule = checkSchedule(problems, typed, { minIntervalMs, now: span.now }, 'input.draft');
    const policy = checkedRetention(problems, draft.retention, 'input.draft.retention');
    const { sizeOfOne } = draft;
    problems.check('input.draft.sizeOfOne', sizeOfOne, integerWithin(0, largestOne)).throwIfAny();
    if (schedule === undefined || policy === undefined) throw new Error('A problem was found and not told.');
    const { timeZone } = schedule;
    const runs = runsWithin(problems, { frequency: parseFrequency(schedule.normalized), timeZone }, span, 1);
    return { policy, timeZone, destinations: [{ backups: [], runs }], sizeOfOneBytes: sizeOfOne ?? 0 };
  }
}

/** Throws BAD_INPUT where there are too many to reckon with, naming how many days can be asked for. */
function runsWithin(
  problems: InputProblems,
  { frequency, timeZone }: { readonly frequency: ParsedFrequency; readonly timeZone: string },
  { days, now }: { readonly days: number; readonly now: Date },
  destinations: number,
): readonly Date[] {
  const ends = daysFrom(now, days, timeZone).map(({ end }) => end);
  // What begins with the end of the last day is of the next one.
  const until = new Date((ends.at(-1) ?? now).getTime() - 1);
  const most = Math.floor(mostRuns / destinations);
  const runs = runsBetween(frequency, timeZone, now, until, most + 1);
  const tooFar = runs[most];
  if (tooFar !== undefined) {
    const fullDays = Math.max(1, ends.filter((end) => end <= tooFar).length);
    problems.add('days', `would make more than ${mostRuns} backups`, `Ask for ${fullDays} days or fewer.`).throwIfAny();
  }
  return runs;
}
