import type { RecordedEvent } from '../eventSourcing/event.js';
import type { Feed } from '../eventSourcing/feed.js';
import type { JobProgress, Telemetry } from '../postgres/contracts/telemetry.js';
import { listenToChanges, type ChangedObjects } from '../server/changedObjects.js';

/** The jobs that changed or made progress, in the order of their changes. A job without `since` has only made progress. */
export type ChangedJobs = Omit<ChangedObjects, 'report'>;

export type JobsToHear = {
  readonly streamType: string;
  /** The kind of jobs whose progress is reported. */
  readonly kind: JobProgress['kind'];
  readonly event: (event: RecordedEvent) => boolean;
  readonly progress: (progress: JobProgress) => boolean;
};

/** Listens from this call on. The caller must call `close` in any case. */
export function listenToJobs(
  sources: { readonly feed: Feed; readonly telemetry: Pick<Telemetry, 'subscribe'> },
  jobs: JobsToHear,
): ChangedJobs {
  const changes = listenToChanges(sources.feed, (event) =>
    event.streamType === jobs.streamType && jobs.event(event) ? event.streamId : undefined,
  );
  const stopProgress = sources.telemetry.subscribe((progress) => {
    if (progress.kind === jobs.kind && jobs.progress(progress)) changes.report(progress.jobId);
  });
  return {
    ...changes,
    close() {
      changes.close();
      stopProgress();
    },
  };
}
