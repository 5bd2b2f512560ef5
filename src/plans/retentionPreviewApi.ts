import { Arg, Ctx, Int, Query, Resolver } from 'type-graphql';
import type { DataSource } from 'typeorm';
import { notFound } from '../errors.js';
import { parseFrequency, type ParsedFrequency } from '../scheduler/cron/parseFrequency.js';
import { runsBetweenInSteps } from '../scheduler/cron/runsBetween.js';
import { InputProblems, integerWithin } from '../server/inputValidation.js';
import { visibleRow } from '../server/lookup.js';
import type { RequestContext } from '../server/requestContext.js';
import { Requires } from '../server/requires.js';
import type { Steps } from '../steps.js';
import { planLookup } from './backupPlanView.js';
import type { RetentionDraftInput } from './planInput.js';
import { RetentionPreviewInput } from './planInput.js';
import { checkedRetention, checkSchedule } from './planRules.js';
import { RetentionDayType } from './planType.js';
import { daysFromInSteps } from './retention/retentionCalendar.js';
import type { RetentionPolicy } from './retention/retentionPolicy.js';
import { previewInSteps, type PreviewedDestination, type SizedBackup } from './retention/retentionPreview.js';

const mostDays = 366;
/** The computation of this many runs with GFS takes about half a second. */
const mostRuns = 20_000;
/** The sum of `mostRuns` backups of this size is still exact. */
const largestOne = Math.floor(Number.MAX_SAFE_INTEGER / mostRuns);

/** A plan's backups and running jobs. The slice of jobs reads them. */
export type PlansBackups = {
  /** One entry for each endpoint where the plan has stored backups. */
  readonly destinations: readonly { readonly fileEndpointId: string; readonly backups: readonly SizedBackup[] }[];
  /** The scheduled jobs that have not ended. Each of them will create a backup. */
  readonly runsUnderWay: readonly { readonly fileEndpointId: string; readonly startedAt: Date }[];
  /** The median stored size of its last 10 successes. Undefined: there is no success yet. */
  readonly usualSizeBytes: number | undefined;
};

export type RetentionPreviewDependencies = {
  readonly dataSource: DataSource;
  readonly now: () => Date;
  /** The smallest time between two runs of a plan. */
  readonly minIntervalMs: number;
  readonly backupsOfPlan: (planId: string, now: Date) => Promise<PlansBackups>;
};

type Previewed = {
  readonly policy: RetentionPolicy;
  readonly timeZone: string;
  readonly destinations: readonly PreviewedDestination[];
  readonly sizeOfOneBytes: number;
};

type Asked = {
  readonly context: RequestContext;
  readonly problems: InputProblems;
  readonly days: number;
  readonly now: Date;
};

/** The field that pays for the computation. */
const field = 'Query.retentionPreview';

@Resolver()
export class RetentionPreviewResolver {
  constructor(private readonly tools: RetentionPreviewDependencies) {}

  @Query(() => [RetentionDayType], {
    description:
      'What retention keeps and deletes on each day from today, for all destinations together. It assumes that every run succeeds, and that future runs have the usual size of the plan’s backups.',
  })
  @Requires('VIEWER')
  retentionPreview(
    @Arg('input', () => RetentionPreviewInput) input: RetentionPreviewInput,
    @Arg('days', () => Int, { defaultValue: 30, description: `1 to ${mostDays}.` }) days: number,
    @Ctx() context: RequestContext,
  ): Promise<RetentionDayType[]> {
    const key = `retentionPreview ${JSON.stringify([input, days])}`;
    return context.budget.once(key, () => this.preview(input, days, context));
  }

  private async preview(
    input: RetentionPreviewInput,
    days: number,
    context: RequestContext,
  ): Promise<RetentionDayType[]> {
    const now = this.tools.now();
    const problems = new InputProblems().check('days', days, integerWithin(1, mostDays));
    const asked = { context, problems, days, now };
    const previewed = await (input.draft === undefined
      ? this.ofPlan(input.planId ?? '', asked)
      : this.ofDraft(input.draft, asked));
    const preview = await context.budget.run(previewInSteps({ ...previewed, now, days }), field);
    return preview.map(({ storedSizeBytes, ...day }) => ({ ...day, storedSize: storedSizeBytes }));
  }

  private async ofPlan(planId: string, { context, problems, ...span }: Asked): Promise<Previewed> {
    const plan = await visibleRow(context, this.tools.dataSource.manager, planLookup, planId);
    if (plan === null) throw notFound('backup plan');
    problems.throwIfAny();
    const { timeZone, fileEndpointIds, paused, removedAt } = plan;
    const isActive = !paused && removedAt === null;
    const schedule = { frequency: parseFrequency(plan.normalized), timeZone };
    const within = runsWithin(problems, schedule, span, fileEndpointIds.length);
    const runs = isActive ? await context.budget.run(within, field) : [];
    const { destinations, runsUnderWay, usualSizeBytes } = await this.tools.backupsOfPlan(plan.id, span.now);
    const backupsAt = new Map(destinations.map(({ fileEndpointId, backups }) => [fileEndpointId, backups]));
    const endpointIds = new Set([
      ...fileEndpointIds,
      ...backupsAt.keys(),
      ...runsUnderWay.map(({ fileEndpointId }) => fileEndpointId),
    ]);
    const startsAt = (id: string) =>
      runsUnderWay.filter(({ fileEndpointId }) => fileEndpointId === id).map(({ startedAt }) => startedAt);
    return {
      // A plan that was removed deletes nothing.
      policy: removedAt === null ? plan.retention : { style: 'ALL' },
      timeZone,
      destinations: [...endpointIds].map((id) => ({
        backups: backupsAt.get(id) ?? [],
        runs: [...startsAt(id), ...(fileEndpointIds.includes(id) ? runs : [])],
      })),
      sizeOfOneBytes: usualSizeBytes ?? 0,
    };
  }

  private async ofDraft(draft: RetentionDraftInput, { context, problems, ...span }: Asked): Promise<Previewed> {
    const { minIntervalMs } = this.tools;
    const typed = { typed: draft.frequency, timeZone: draft.timeZone };
    const schedule = checkSchedule(problems, typed, { minIntervalMs, now: span.now }, 'input.draft');
    const policy = checkedRetention(problems, draft.retention, 'input.draft.retention');
    const { sizeOfOne } = draft;
    problems.check('input.draft.sizeOfOne', sizeOfOne, integerWithin(0, largestOne)).throwIfAny();
    if (schedule === undefined || policy === undefined)
      throw new Error('The draft has a problem that was not reported.');
    const { timeZone } = schedule;
    const frequency = parseFrequency(schedule.normalized);
    const runs = await context.budget.run(runsWithin(problems, { frequency, timeZone }, span, 1), field);
    return { policy, timeZone, destinations: [{ backups: [], runs }], sizeOfOneBytes: sizeOfOne ?? 0 };
  }
}

/** Throws BAD_INPUT if there are more than `mostRuns`. The hint names the largest number of days that works. */
function* runsWithin(
  problems: InputProblems,
  { frequency, timeZone }: { readonly frequency: ParsedFrequency; readonly timeZone: string },
  { days, now }: { readonly days: number; readonly now: Date },
  destinations: number,
): Steps<readonly Date[]> {
  const ends = (yield* daysFromInSteps(now, days, timeZone)).map(({ end }) => end);
  // A run at the end of the last day belongs to the next day.
  const until = new Date((ends.at(-1) ?? now).getTime() - 1);
  const most = Math.floor(mostRuns / destinations);
  const runs = yield* runsBetweenInSteps(frequency, timeZone, now, until, most + 1);
  const tooFar = runs[most];
  if (tooFar !== undefined) {
    const fullDays = Math.max(1, ends.filter((end) => end <= tooFar).length);
    problems
      .add('days', `would create more than ${mostRuns} backups`, `Ask for ${fullDays} days or fewer.`)
      .throwIfAny();
  }
  return runs;
}
