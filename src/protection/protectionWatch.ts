import type { Logger } from 'pino';
import type { RecordedEvent } from '../eventSourcing/event.js';
import type { Feed, FeedSubscription } from '../eventSourcing/feed.js';
import { recordLateness, type LatenessTools } from './recordLateness.js';

export type ProtectionWatchOptions = LatenessTools & {
  readonly feed: Feed;
  readonly log: Logger;
  /** The pause between two checks of all services. Default 20,000. */
  readonly everyMs?: number;
};

export interface ProtectionWatch {
  /** Checks all services now and then periodically. Call it only once. */
  start(): void;
  /** Checks all services now. */
  check(): Promise<void>;
  /** Ends the checks and waits for the pending one. */
  stop(): Promise<void>;
}

/** The events that may end the lateness of a service. They trigger a check. The periodic check covers all others. */
const endings = new Set([
  'BackupSucceeded',
  'BackupFound',
  'BackupPlanPaused',
  'BackupPlanUpdated',
  'BackupPlanRemoved',
  'ServiceUpdated',
  'ServiceRemoved',
]);

/** All events within this time trigger one check together. */
const pauseMs = 250;

/**
 * Records in the log when a service becomes LATE, within `everyMs` of its deadline, and when it is no longer LATE. Any
 * number of processes may watch. Each change is appended once, because it is decided on the stream of the service.
 */
export function createProtectionWatch(options: ProtectionWatchOptions): ProtectionWatch {
  const { feed, log, everyMs = 20_000 } = options;
  let subscription: FeedSubscription | undefined;
  let checking: Promise<void> | undefined;
  let nextCheck: { readonly at: number; readonly timer: NodeJS.Timeout } | undefined;
  let wokenMeanwhile = false;
  let allDueAt = 0;
  let stopped = false;
  const check = (all: boolean) => recordLateness(options, all, () => stopped);

  function checkIn(ms: number): void {
    const at = performance.now() + ms;
    if (stopped || checking !== undefined || (nextCheck !== undefined && nextCheck.at <= at)) return;
    clearTimeout(nextCheck?.timer);
    nextCheck = { at, timer: setTimeout(begin, ms) };
  }

  function wake(event: RecordedEvent): void {
    if (!endings.has(event.type)) return;
    if (checking === undefined) checkIn(pauseMs);
    else wokenMeanwhile = true;
  }

  function begin(): void {
    nextCheck = undefined;
    const begun = performance.now();
    const all = begun >= allDueAt;
    if (all) allDueAt = begun + everyMs;
    checking = check(all)
      .catch((error: unknown) => {
        if (!stopped) log.warn({ err: error }, 'The check for late services failed; it is repeated.');
      })
      .finally(() => {
        checking = undefined;
        checkIn(Math.max(0, allDueAt - performance.now()));
        if (wokenMeanwhile) checkIn(pauseMs);
        wokenMeanwhile = false;
      });
  }

  return {
    start() {
      subscription = feed.subscribe(wake);
      checkIn(0);
    },
    check: () => check(true),
    async stop() {
      stopped = true;
      subscription?.close();
      clearTimeout(nextCheck?.timer);
      await checking;
    },
  };
}
