import type { Position } from '../eventSourcing/event.js';
import type { EventIndex } from '../eventSourcing/eventIndex.js';
import type { EventStore } from '../eventSourcing/eventStore.js';
import type { Feed } from '../eventSourcing/feed.js';
import { badInput } from '../errors.js';
import type { JobProgress, Telemetry } from '../postgres/contracts/telemetry.js';
import { leavable } from '../server/leavable.js';
import { listenToJobs, type ChangedJobs } from './changedJobs.js';

export type ChangeKind = 'SNAPSHOT' | 'READY' | 'CHANGED' | 'PROGRESS';

export type JobChange<Row> = { readonly kind: ChangeKind; readonly position: Position; readonly row: Row | null };

export type LiveSources = {
  readonly store: EventStore;
  readonly eventIndex: EventIndex;
  readonly feed: Feed;
  readonly telemetry: Telemetry;
};

type Job = { readonly id: string; readonly status: string; readonly version: number };

export type WatchedJobs<Row> = {
  readonly streamType: string;
  readonly kind: JobProgress['kind'];
  readonly load: (id: string) => Promise<Row | null>;
};

/**
 * Watches one job. It yields its state, then its state at every change and every progress step, and completes when the
 * job has ended. A slow reader gets the latest state and skips the states in between.
 */
export function watchJob<Row extends Job>(
  sources: LiveSources,
  watched: WatchedJobs<Row>,
  id: string,
): AsyncIterableIterator<Row, undefined> {
  const jobs = listenToJobs(sources, {
    ...watched,
    event: (event) => event.streamId === id,
    progress: (progress) => progress.jobId === id,
  });
  jobs.seed([id], undefined);

  async function* states(): AsyncGenerator<Row, void, undefined> {
    try {
      let lastVersion = 0;
      for (let taken = await jobs.next(); taken !== undefined; taken = await jobs.next()) {
        if (taken === 'READY') continue;
        const row = await watched.load(id);
        if (row === null) return;
        const hasProgress = taken.since === undefined && row.status === 'RUNNING';
        if (row.version === lastVersion && !hasProgress) continue;
        lastVersion = row.version;
        yield row;
        if (!isActive(row)) return;
      }
    } finally {
      jobs.close();
    }
  }

  return leavable(states(), () => jobs.close());
}

export type WatchedList<Row> = WatchedJobs<Row> & {
  readonly after: Position | undefined;
  readonly withProgress: boolean;
  /** The projects of the list. Undefined: all. */
  readonly projectIds: readonly string[] | undefined;
  /** The ids of the QUEUED and RUNNING jobs of the list. */
  readonly activeIds: () => Promise<readonly string[]>;
  /** Whether the current state of a job matches the list. */
  readonly fits: (row: Row) => boolean;
  /** Whether a job that no longer matches did match at that position in the log, so that it is sent one last time. */
  readonly fittedAt: (row: Row, position: Position) => Promise<boolean>;
};

/**
 * Watches a list of jobs. It starts with the active jobs as SNAPSHOT. With `after` it starts with each job that changed
 * since then, once and in its current state. READY follows, and then every change live. A job that no longer matches is
 * sent one last time. A client misses nothing if it subscribes again after the position of any message from READY on.
 */
export async function jobChanges<Row extends Job>(
  sources: LiveSources,
  list: WatchedList<Row>,
): Promise<AsyncIterableIterator<JobChange<Row>, undefined>> {
  const { after = 0n, projectIds } = list;
  if (after > 0n && after > (await sources.store.head())) throw beyondTheEnd();
  const isOfList = (projectId: string) => projectIds?.includes(projectId) ?? true;
  const paced = oneASecond();
  const jobs = listenToJobs(sources, {
    ...list,
    event: (event) => event.position > after && isOfList(event.projectId),
    progress: (progress) => list.withProgress && isOfList(progress.projectId) && paced.isDue(progress),
  });
  try {
    jobs.seed(await seeds(sources, list, jobs), list.after);
  } catch (error) {
    jobs.close();
    throw error;
  }

  async function* changes(): AsyncGenerator<JobChange<Row>, void, undefined> {
    const position = () => (jobs.position() > after ? jobs.position() : after);
    try {
      for (let taken = await jobs.next(); taken !== undefined; taken = await jobs.next()) {
        if (taken === 'READY') {
          yield { kind: 'READY', position: position(), row: null };
          continue;
        }
        const row = await list.load(taken.id);
        if (row === null) continue;
        if (row.status !== 'RUNNING') paced.forget(taken.id);
        const isProgress = taken.since === undefined && !taken.isSeed;
        if (isProgress && row.status !== 'RUNNING') continue;
        if (!list.fits(row) && (taken.since === undefined || !(await list.fittedAt(row, taken.since)))) continue;
        const isSnapshot = taken.isSeed && list.after === undefined;
        yield { kind: isProgress ? 'PROGRESS' : isSnapshot ? 'SNAPSHOT' : 'CHANGED', position: position(), row };
      }
    } finally {
      jobs.close();
    }
  }

  return leavable(changes(), () => jobs.close());
}

function seeds<Row>(sources: LiveSources, list: WatchedList<Row>, { from }: ChangedJobs): Promise<readonly string[]> {
  if (list.after === undefined) return list.activeIds();
  const { streamType, after, projectIds } = list;
  return sources.eventIndex.changedStreams({
    ...{ streamType, after, until: from },
    ...(projectIds === undefined ? {} : { projectIds }),
  });
}

/** Passes one progress message per second for each job, by the clock of the worker that sent it. */
function oneASecond() {
  const last = new Map<string, number>();
  return {
    isDue({ jobId, at }: JobProgress): boolean {
      const now = Date.parse(at);
      // A worker sends at most one message a second. The tolerance is needed because its timer is not exact.
      if (now - (last.get(jobId) ?? -Infinity) < 950) return false;
      last.set(jobId, now);
      return true;
    },
    forget: (jobId: string) => last.delete(jobId),
  };
}

function isActive({ status }: Job): boolean {
  return status === 'QUEUED' || status === 'RUNNING';
}

export function beyondTheEnd() {
  return badInput([
    {
      path: 'after',
      problem: 'is after the end of the log',
      hint: 'Send a position that this installation has returned, or omit it to start with the current state.',
    },
  ]);
}
