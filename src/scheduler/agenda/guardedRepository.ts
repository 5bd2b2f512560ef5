import type { JobParameters, JobRepository, JobRepositoryOptions } from 'agenda';
import type { AlarmStore } from './alarmStore.js';

export type GuardOptions = {
  /** The most alarms of one kind that this process holds locked at once, waiting or running. */
  readonly lockedAtMost: number;
  readonly lockLifetimeMs: number;
  /** How often Agenda polls, and how far ahead. */
  readonly processEveryMs: number;
  readonly onError: (error: unknown) => void;
};

type Locked = { readonly name: string; readonly sinceMs: number; running: boolean };
type GetNextJobToRun = JobRepository['getNextJobToRun'];

const longestPauseMs = 5_000;
const pollEveryMs = 1_000;
/** The latest time that a Date can represent. */
const never = new Date(8.64e15);
/**
 * The lifetime of locks in Agenda's job definitions. Locks never expire here, so it only decides how long a timer of
 * Agenda continues after a run.
 */
export const agendaLockLifetimeMs = 1;

/**
 * Wraps Agenda's repository, because Agenda causes unhandled rejections, polls a store that does not answer too often, and locks more alarms than it can run in time. The wrapper
 * - reports each failure once, and rejects only where Agenda catches the rejection;
 * - runs one poll for each job name at a time. After a failed poll it pauses (1 s, growing to 5 s). Then it creates the
 *   missing table or collection again before the next poll;
 * - keeps the locks itself, and gives Agenda locks that never expire. With a lifetime, Agenda would start a timer of half that time after each run, and this timer cannot be cleared. Agenda would also count an alarm whose lock expired in its queue as locked for ever, and finally lock no alarm any more;
 * - polls once a second, for all job names together, whether any alarm can be locked. It passes on Agenda's own polls only in that case;
 * - knows which calls are pending, so that stopping and resting can wait for them.
 */
export class GuardedRepository {
  /** Agenda's own repository with some methods replaced. */
  readonly forAgenda: JobRepository;
  readonly #store: AlarmStore;
  readonly #options: GuardOptions;
  readonly #locked = new Map<string, Locked>();
  readonly #polling = new Set<string>();
  readonly #pending = new Set<Promise<unknown>>();
  readonly #reported = new WeakSet();
  /** Incremented by every change that may make an alarm due after the last poll. */
  #activity = 0;
  #failedPolls = 0;
  #pausedUntilMs = 0;
  /** The result of the last poll, and how long it is valid. */
  #lastPoll: { readonly untilMs: number; readonly due: Promise<boolean> } | undefined;
  #stopped = false;

  constructor(store: AlarmStore, options: GuardOptions) {
    this.#store = store;
    this.#options = options;
    const { repository } = store;
    const replaced: Partial<JobRepository> = {
      getNextJobToRun: (...args) => this.#track(this.#poll(...args)),
      saveJobState: (job, saveOptions) => this.#track(this.#save(job, saveOptions)),
      unlockJob: (job) => this.#track(this.#reporting(repository.unlockJob(job)).catch(() => undefined)),
      // Agenda calls this when it stops, but misses alarms that are being locked at that moment. stop() unlocks them
      // later.
      unlockJobs: () => Promise.resolve(),
    };
    this.forAgenda = Object.assign(Object.create(repository) as JobRepository, replaced);
  }

  /** Runs a locked alarm. Its lock stays valid during the run, and stop() waits for the run. */
  async running(id: string, name: string, run: () => Promise<void>): Promise<void> {
    this.#locked.set(id, { name, sinceMs: performance.now(), running: true });
    try {
      await this.#track(run());
    } finally {
      this.#locked.delete(id);
    }
  }

  /** Whether an alarm must be locked within `ms`. Rejects with the error of the store. */
  isAnyDueWithin(ms: number): Promise<boolean> {
    const soon = new Date(Date.now() + ms + this.#horizonMs());
    return this.#track(this.#store.isAnyDue(soon, new Date(soon.getTime() - this.#options.lockLifetimeMs)));
  }

  /** Changes when an alarm was set in this process, or when a run changed one. */
  get activity(): number {
    return this.#activity;
  }

  /** Whether nothing is locked and no call of the store is pending. */
  get isIdle(): boolean {
    this.#forgetExpired();
    return this.#locked.size === 0 && this.#pending.size === 0;
  }

  /** Call it when an alarm is set in this process. If its time is near, Agenda finds it at its next poll. */
  expect(at: Date): void {
    this.#activity += 1;
    if (at.getTime() > Date.now() + this.#horizonMs()) return;
    this.#lastPoll = { untilMs: performance.now() + pollEveryMs, due: Promise.resolve(true) };
  }

  /** Reports an error once. Ignores errors that only mean that an alarm was cancelled or has ended. */
  report(error: unknown): void {
    if (error instanceof Error) {
      if (this.#reported.has(error) || isGone(error) || isOver(error)) return;
      this.#reported.add(error);
    }
    this.#options.onError(error);
  }

  /** Stops locking. Resolves when nothing runs any more, and alarms that were locked but not run are unlocked. */
  async stop(): Promise<void> {
    this.#stopped = true;
    while (this.#pending.size > 0) {
      await Promise.allSettled(this.#pending);
      // After a call has ended, Agenda may make the next call in a later microtask.
      await new Promise(setImmediate);
    }
    this.#forgetExpired();
    const ids = [...this.#locked.keys()];
    if (ids.length > 0) await this.#store.repository.unlockJobs(ids).catch((error: unknown) => this.report(error));
  }

  /** Renews the lock of a running alarm. A failure is reported. The lock then expires, and the alarm fires a second time. */
  async renew(job: JobParameters): Promise<void> {
    await this.#track(this.#save(job, undefined)).catch(() => undefined);
  }

  async #save(job: JobParameters, options: JobRepositoryOptions | undefined): Promise<void> {
    this.#activity += 1;
    const renewed = job.lockedAt === undefined ? job : { ...job, lockedAt: new Date() };
    await this.#reporting(this.#store.repository.saveJobState(renewed, options));
  }

  async #poll(...[name, nextScanAt, , now, options]: Parameters<GetNextJobToRun>): ReturnType<GetNextJobToRun> {
    if (this.#stopped || this.#polling.has(name) || performance.now() < this.#pausedUntilMs) return undefined;
    this.#forgetExpired();
    const lockedOfName = [...this.#locked.values()].filter((locked) => locked.name === name).length;
    if (lockedOfName >= this.#options.lockedAtMost) return undefined;
    this.#polling.add(name);
    try {
      if (this.#failedPolls > 0) await this.#store.prepare();
      if (!(await this.#isAnyDue())) {
        this.#failedPolls = 0;
        return undefined;
      }
      const lockDeadline = new Date(Date.now() - this.#options.lockLifetimeMs);
      const job = await this.#store.repository.getNextJobToRun(name, nextScanAt, lockDeadline, now, options);
      this.#failedPolls = 0;
      if (job?._id === undefined) return undefined;
      this.#locked.set(job._id, { name, sinceMs: performance.now(), running: false });
      return this.#hasStopped() ? undefined : { ...job, lockedAt: never };
    } catch (error) {
      this.#failedPolls += 1;
      this.#pausedUntilMs = performance.now() + Math.min(1_000 * this.#failedPolls, longestPauseMs);
      this.report(error);
      return undefined;
    } finally {
      this.#polling.delete(name);
    }
  }

  /** A method, so that TypeScript does not assume the value from before an await. */
  #hasStopped(): boolean {
    return this.#stopped;
  }

  /** Polls for all job names at once. The result is valid for a second. */
  #isAnyDue(): Promise<boolean> {
    if (this.#lastPoll === undefined || performance.now() >= this.#lastPoll.untilMs) {
      const now = Date.now();
      const soon = new Date(now + this.#horizonMs());
      const due = this.#store.isAnyDue(soon, new Date(soon.getTime() - this.#options.lockLifetimeMs));
      this.#lastPoll = { untilMs: performance.now() + pollEveryMs, due };
      due.catch(() => (this.#lastPoll = undefined));
    }
    return this.#lastPoll.due;
  }

  /** The time until the next poll, and how far Agenda plans ahead after that poll. */
  #horizonMs(): number {
    return pollEveryMs + 2 * this.#options.processEveryMs;
  }

  #forgetExpired(): void {
    const oldestMs = performance.now() - this.#options.lockLifetimeMs;
    for (const [id, locked] of this.#locked) {
      if (!locked.running && locked.sinceMs < oldestMs) this.#locked.delete(id);
    }
  }

  async #reporting<T>(call: Promise<T>): Promise<T> {
    try {
      return await call;
    } catch (error) {
      this.report(error);
      throw error;
    }
  }

  #track<T>(work: Promise<T>): Promise<T> {
    const tracked = work.finally(() => this.#pending.delete(tracked));
    this.#pending.add(tracked);
    return tracked;
  }
}

/** The error of both repositories of Agenda if they save the state of a document that was removed. */
function isGone(error: Error): boolean {
  return error.message.includes('maybe it does not exist anymore');
}

/**
 * An error that Agenda reports about a run that has ended: its lock was released, and a slow store still saves the
 * lock. It cannot occur while a handler runs, because the lock never expires (`never`).
 */
function isOver(error: Error): boolean {
  return error.message.includes('no lockedAt date found');
}
