import { setTimeout as delay } from 'node:timers/promises';
import type { Feed } from '../eventSourcing/feed.js';
import { leavable } from '../server/leavable.js';
import { conflatingMailbox } from '../server/mailbox.js';
import { workersInSight, type WorkerSight, type WorkerSources } from './workersInSight.js';

export type WorkerChange = {
  readonly kind: 'SNAPSHOT' | 'READY' | 'CHANGED';
  /** Null in a READY message. */
  readonly sight: WorkerSight | null;
};

export type LiveWorkerSources = WorkerSources & { readonly feed: Feed };

/** No event reports that a worker has stopped reporting, so this polls for it. */
const pollMs = 5_000;
/** The workers are read at most once in this time, even if many changes arrive. */
const paceMs = 500;

/**
 * Yields every worker as SNAPSHOT, then READY, then the current state of each worker that changes. A worker that is no
 * longer listed is sent one last time as GONE. A change only triggers a read, and the reader compares the result with
 * what it has sent. So a slow reader skips states, and nothing is kept for it.
 */
export function workerChanges(sources: LiveWorkerSources): AsyncIterableIterator<WorkerChange, undefined> {
  const wakes = conflatingMailbox<'look', 'look'>();
  const left = new AbortController();
  const wake = () => wakes.put('look', 'look');
  const stopReports = sources.workers.subscribe(wake);
  const subscription = sources.feed.subscribe(({ streamType }) => {
    if (streamType.endsWith('Job')) wake();
  });
  const poll = setInterval(wake, pollMs);
  const close = () => {
    left.abort();
    clearInterval(poll);
    stopReports();
    subscription.close();
    void wakes.return();
  };

  async function* changes(): AsyncGenerator<WorkerChange, void, undefined> {
    try {
      const sent = new Map<string, { readonly sight: WorkerSight; readonly print: string }>();
      for (const sight of await workersInSight(sources)) {
        sent.set(sight.worker.id, { sight, print: printOf(sight) });
        yield { kind: 'SNAPSHOT', sight };
      }
      yield { kind: 'READY', sight: null };
      while ((await wakes.next()).done !== true) {
        const now = await workersInSight(sources);
        for (const sight of now) {
          const print = printOf(sight);
          if (sent.get(sight.worker.id)?.print === print) continue;
          sent.set(sight.worker.id, { sight, print });
          yield { kind: 'CHANGED', sight };
        }
        for (const removed of [...sent.values()].filter(({ sight }) => !now.some((each) => isSame(each, sight)))) {
          sent.delete(removed.sight.worker.id);
          yield { kind: 'CHANGED', sight: { ...removed.sight, state: 'GONE', jobs: [] } };
        }
        await delay(paceMs, undefined, { signal: left.signal }).catch(() => undefined);
      }
    } finally {
      close();
    }
  }

  return leavable(changes(), close);
}

function isSame(one: WorkerSight, other: WorkerSight): boolean {
  return one.worker.id === other.worker.id;
}

/** A fingerprint of the visible fields of a worker. */
function printOf({ worker, state, jobs }: WorkerSight): string {
  return JSON.stringify([state, worker, jobs.map(({ attempt, row }) => [row.id, attempt, row.version])]);
}
