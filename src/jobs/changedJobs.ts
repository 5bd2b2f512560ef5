import type { Position, RecordedEvent } from '../eventSourcing/event.js';
import type { Feed } from '../eventSourcing/feed.js';
import type { JobProgress, Telemetry } from '../postgres/contracts/telemetry.js';
import { conflatingMailbox } from '../server/mailbox.js';

/**
 * Says which jobs have changed, or moved on, since a reader last asked: the ids alone, so that a slow reader costs one
 * entry a job. Whoever takes an entry loads the job as it is then.
 */
export type ChangedJob = {
  readonly id: string;
  /** The place just before the first of its events that was not taken yet; undefined: it has only moved on. */
  readonly since: Position | undefined;
  /** Whether it was seeded and nothing has happened to it since. */
  readonly isSeed: boolean;
};

export type ChangedJobs = {
  /** What was delivered in this process before the listening began: everything later is told. */
  readonly from: Position;
  /** Puts the jobs to begin with in front of what has come meanwhile, and READY between the two. */
  seed(ids: readonly string[], since: Position | undefined): void;
  /** Undefined: the reader has left. */
  next(): Promise<ChangedJob | 'READY' | undefined>;
  /** Up to here every event has been taken: who goes on after it misses nothing. Never falls. */
  position(): Position;
  close(): void;
};

export type Heard = {
  readonly streamType: string;
  /** The kind of jobs whose progress is heard. */
  readonly kind: JobProgress['kind'];
  readonly event: (event: RecordedEvent) => boolean;
  readonly progress: (progress: JobProgress) => boolean;
};

const ready = 'READY';

/** Listens at once; call `close` in any case. */
export function listenToJobs(
  sources: { readonly feed: Feed; readonly telemetry: Pick<Telemetry, 'subscribe'> },
  hears: Heard,
): ChangedJobs {
  /** Those with a `since` stand in its order. */
  const waiting = new Map<string, Omit<ChangedJob, 'id'>>();
  /** The keys of `waiting`, in the order in which they are taken. */
  const keys = conflatingMailbox<string, string>();
  let isSeeded = false;
  let latest: Position;

  function changed(id: string, since: Position | undefined): void {
    const known = waiting.get(id);
    if (known === undefined) waiting.set(id, { since, isSeed: false });
    else if (known.since === undefined && since !== undefined) {
      waiting.delete(id);
      waiting.set(id, { since, isSeed: known.isSeed });
    }
    if (isSeeded) keys.put(id, id);
  }

  const subscription = sources.feed.subscribe((event) => {
    latest = event.position;
    if (event.streamType === hears.streamType && hears.event(event)) changed(event.streamId, event.position - 1n);
  });
  latest = subscription.from;
  const stopProgress = sources.telemetry.subscribe((progress) => {
    if (progress.kind === hears.kind && hears.progress(progress)) changed(progress.jobId, undefined);
  });

  return {
    from: subscription.from,

    seed(ids, since) {
      const meanwhile = [...waiting];
      waiting.clear();
      for (const id of ids) waiting.set(id, { since, isSeed: true });
      waiting.set(ready, { since: undefined, isSeed: true });
      for (const [id, entry] of meanwhile) {
        const isSeed = waiting.has(id);
        if (!isSeed || (since === undefined && entry.since !== undefined)) {
          waiting.delete(id);
          waiting.set(id, { since: entry.since, isSeed });
        }
      }
      for (const id of ids) keys.put(id, id);
      keys.put(ready, ready);
      for (const [id] of meanwhile) keys.put(id, id);
      isSeeded = true;
    },

    async next() {
      for (;;) {
        const { done, value: key } = await keys.next();
        if (done === true) return undefined;
        const taken = waiting.get(key);
        // Undefined: it was taken together with what came before.
        if (taken === undefined) continue;
        waiting.delete(key);
        return key === ready ? ready : { id: key, ...taken };
      }
    },

    position() {
      for (const { since } of waiting.values()) if (since !== undefined) return since;
      return latest;
    },

    close() {
      subscription.close();
      stopProgress();
      void keys.return();
    },
  };
}
