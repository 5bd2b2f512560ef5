import type { Position, RecordedEvent } from '../eventSourcing/event.js';
import type { Feed } from '../eventSourcing/feed.js';
import type { JobProgress, Telemetry } from '../postgres/contracts/telemetry.js';
import { conflatingMailbox } from '../server/mailbox.js';

/** A job that has changed, or made progress, since the reader last took it. The reader loads the job itself. */
export type ChangedJob = {
  readonly id: string;
  /**
   * The position just before the first of its events that the reader has not taken yet. Undefined: the job has only
   * made progress.
   */
  readonly since: Position | undefined;
  /** Whether the job was seeded and has not changed since. */
  readonly isSeed: boolean;
};

/**
 * The jobs that changed, in the order of their changes. It holds only ids, so that a slow reader costs one entry for
 * each job.
 */
export type ChangedJobs = {
  /** The position up to which this process had delivered events when listening began. Every later event is reported. */
  readonly from: Position;
  /** Puts the first jobs before the jobs that have changed meanwhile, and READY between them. */
  seed(ids: readonly string[], since: Position | undefined): void;
  /** Undefined: the reader has left. */
  next(): Promise<ChangedJob | 'READY' | undefined>;
  /** Every event up to here was taken, so a reader that continues after it misses nothing. It never decreases. */
  position(): Position;
  close(): void;
};

export type JobsToHear = {
  readonly streamType: string;
  /** The kind of jobs whose progress is reported. */
  readonly kind: JobProgress['kind'];
  readonly event: (event: RecordedEvent) => boolean;
  readonly progress: (progress: JobProgress) => boolean;
};

const ready = 'READY';

/** Listens from this call on. The caller must call `close` in any case. */
export function listenToJobs(
  sources: { readonly feed: Feed; readonly telemetry: Pick<Telemetry, 'subscribe'> },
  jobs: JobsToHear,
): ChangedJobs {
  const waiting = new WaitingJobs();
  /** The keys of the waiting jobs, in the order in which they are taken. */
  const keys = conflatingMailbox<string, string>();
  let isSeeded = false;
  let latest: Position;

  function report(id: string, since: Position | undefined): void {
    waiting.add(id, since);
    if (isSeeded) keys.put(id, id);
  }

  const subscription = sources.feed.subscribe((event) => {
    latest = event.position;
    if (event.streamType === jobs.streamType && jobs.event(event)) report(event.streamId, event.position - 1n);
  });
  latest = subscription.from;
  const stopProgress = sources.telemetry.subscribe((progress) => {
    if (progress.kind === jobs.kind && jobs.progress(progress)) report(progress.jobId, undefined);
  });

  return {
    from: subscription.from,

    seed(ids, since) {
      for (const key of waiting.seed(ids, since)) keys.put(key, key);
      isSeeded = true;
    },

    async next() {
      for (;;) {
        const { done, value: key } = await keys.next();
        if (done === true) return undefined;
        const taken = waiting.take(key);
        // Undefined: the job was taken together with an earlier change.
        if (taken !== undefined) return key === ready ? ready : { id: key, ...taken };
      }
    },

    position: () => waiting.firstSince() ?? latest,

    close() {
      subscription.close();
      stopProgress();
      void keys.return();
    },
  };
}

type Entry = Omit<ChangedJob, 'id'>;

/** The jobs that wait for the reader, by id, and READY. Entries with a `since` are sorted by it. */
class WaitingJobs {
  readonly #entries = new Map<string, Entry>();

  add(id: string, since: Position | undefined): void {
    const known = this.#entries.get(id);
    if (known === undefined) this.#entries.set(id, { since, isSeed: false });
    else if (known.since === undefined && since !== undefined) this.#putLast(id, { since, isSeed: known.isSeed });
  }

  /** Returns all keys in the order in which they will be taken. */
  seed(ids: readonly string[], since: Position | undefined): readonly string[] {
    const meanwhile = [...this.#entries];
    this.#entries.clear();
    for (const id of ids) this.#entries.set(id, { since, isSeed: true });
    this.#entries.set(ready, { since: undefined, isSeed: true });
    for (const [id, entry] of meanwhile) {
      const isSeed = this.#entries.has(id);
      if (!isSeed || (since === undefined && entry.since !== undefined)) {
        this.#putLast(id, { since: entry.since, isSeed });
      }
    }
    return [...ids, ready, ...meanwhile.map(([id]) => id)];
  }

  take(key: string): Entry | undefined {
    const entry = this.#entries.get(key);
    this.#entries.delete(key);
    return entry;
  }

  firstSince(): Position | undefined {
    for (const { since } of this.#entries.values()) if (since !== undefined) return since;
    return undefined;
  }

  #putLast(id: string, entry: Entry): void {
    this.#entries.delete(id);
    this.#entries.set(id, entry);
  }
}
