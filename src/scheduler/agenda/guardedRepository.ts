import type { JobParameters, JobRepository, JobRepositoryOptions } from 'agenda';
import type { AlarmStore } from './alarmStore.js';

export type GuardOptions = {
  /** How many alarms of one kind this process holds locked at once, about to run or running. */
  readonly lockedAtMost: number;
  readonly lockLifetimeMs: number;
  /** How often Agenda asks, and how far ahead. */
  readonly processEveryMs: number;
  readonly onError: (error: unknown) => void;
};

type Locked = { readonly name: string; readonly sinceMs: number; running: boolean };
type GetNextJobToRun = JobRepository['getNextJobToRun'];

const longestPauseMs = 5_000;
const lookEveryMs = 1_000;
/** The last instant that a Date knows. */
const never = new Date(8.64e15);
/** For Agenda's definitions of jobs: with locks that never expire it only says how long a timer outlives a run. */
export const agendaLockLifetimeMs = 1;

/**
 * Stands between Agenda and its repository, because Agenda leaves promises to nobody, asks a store that is down as often
 * as one that is up, and locks more than it can run in time. It
 * - tells each failure once, and rejects only where Agenda catches;
 * - lets one poll a job name run at a time; after a failed one it pauses (1 s, growing to 5 s), then makes again what
 *   the store has lost before it goes on;
 * - keeps the locks itself: Agenda is told that they never expire, because it waits half a lifetime after each run
 *   with a timer nobody can clear, and an alarm whose lock expires in its queue stays in its count of locked ones for
 *   ever, until it locks no more;
 * - looks once a second whether there is anything to lock for any job name, and asks for it, at Agenda's pace, only then;
 * - knows what is under way, so that stopping and resting can wait for it.
 */
export class GuardedRepository {
  /** What Agenda is given: its own repository, with some methods replaced. */
  readonly forAgenda: JobRepository;
  readonly #store: AlarmStore;
  readonly #options: GuardOptions;
  readonly #locked = new Map<string, Locked>();
  readonly #polling = new Set<string>();
  readonly #underWay = new Set<Promise<unknown>>();
  readonly #told = new WeakSet();
  /** Rises with whatever may make an alarm be due soon that a look has not seen. */
  #activity = 0;
  #failedPolls = 0;
  #pausedUntilMs = 0;
  /** Of the last look: until when it holds, and whether there is anything to lock. */
  #seen: { readonly untilMs: number; readonly due: Promise<boolean> } | undefined;
  #stopped = false;

  constructor(store: AlarmStore, options: GuardOptions) {
    this.#store = store;
    this.#options = options;
    const { repository } = store;
    const replaced: Partial<JobRepository> = {
      getNextJobToRun: (...args) => this.#track(this.#poll(...args)),
      saveJobState: (job, saveOptions) => this.#track(this.#save(job, saveOptions)),
      unlockJob: (job) => this.#track(this.#telling(repository.unlockJob(job)).catch(() => undefined)),
      // Called when Agenda stops; it misses what is being locked at that moment, so stop() does it once all is still.
      unlockJobs: () => Promise.resolve(),
    };
    this.forAgenda = Object.assign(Object.create(repository) as JobRepository, replaced);
  }

  /** Runs what Agenda has locked: while it runs its lock is kept count of, and stop() waits for it. */
  async running(id: string, name: string, run: () => Promise<void>): Promise<void> {
    this.#locked.set(id, { name, sinceMs: performance.now(), running: true });
    try {
      await this.#track(run());
    } finally {
      this.#locked.delete(id);
    }
  }

  /** Whether Agenda, resting now, would have anything to lock before it looks again after so long. Rejects with what the store says. */
  isAnyDueWithin(ms: number): Promise<boolean> {
    const soon = new Date(Date.now() + ms + this.#horizonMs());
    return this.#track(this.#store.isAnyDue(soon, new Date(soon.getTime() - this.#options.lockLifetimeMs)));
  }

  /** Another number than before when, in the meantime, an alarm was set here or a run changed one. */
  get activity(): number {
    return this.#activity;
  }

  /** Nothing is locked, and nothing is asked of the store. */
  get isIdle(): boolean {
    this.#forgetExpired();
    return this.#locked.size === 0 && this.#underWay.size === 0;
  }

  /** An alarm is being set in this process: if its time is near, Agenda finds it at its next poll. */
  expect(at: Date): void {
    this.#activity += 1;
    if (at.getTime() > Date.now() + this.#horizonMs()) return;
    this.#seen = { untilMs: performance.now() + lookEveryMs, due: Promise.resolve(true) };
  }

  /** Tells of an error unless that has happened, or it only says that an alarm is cancelled or over by now. */
  tell(error: unknown): void {
    if (error instanceof Error) {
      if (this.#told.has(error) || isGone(error) || isOver(error)) return;
      this.#told.add(error);
    }
    this.#options.onError(error);
  }

  /** From now on nothing is locked any more. Resolves when nothing runs, and what was locked but not run is free again. */
  async stop(): Promise<void> {
    this.#stopped = true;
    while (this.#underWay.size > 0) {
      await Promise.allSettled(this.#underWay);
      // Agenda goes on by itself between a call's end and the next call.
      await new Promise(setImmediate);
    }
    this.#forgetExpired();
    const ids = [...this.#locked.keys()];
    if (ids.length > 0) await this.#store.repository.unlockJobs(ids).catch((error: unknown) => this.tell(error));
  }

  /** Renews the lock of what runs. A failure is told; the lock then expires, and the alarm comes twice. */
  async renew(job: JobParameters): Promise<void> {
    await this.#track(this.#save(job, undefined)).catch(() => undefined);
  }

  async #save(job: JobParameters, options: JobRepositoryOptions | undefined): Promise<void> {
    this.#activity += 1;
    const renewed = job.lockedAt === undefined ? job : { ...job, lockedAt: new Date() };
    await this.#telling(this.#store.repository.saveJobState(renewed, options));
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
      this.tell(error);
      return undefined;
    } finally {
      this.#polling.delete(name);
    }
  }

  /** A function, for it may have changed while something was awaited. */
  #hasStopped(): boolean {
    return this.#stopped;
  }

  /** Looks for all job names at once; what it sees holds for a second. */
  #isAnyDue(): Promise<boolean> {
    if (this.#seen === undefined || performance.now() >= this.#seen.untilMs) {
      const now = Date.now();
      const soon = new Date(now + this.#horizonMs());
      const due = this.#store.isAnyDue(soon, new Date(soon.getTime() - this.#options.lockLifetimeMs));
      this.#seen = { untilMs: performance.now() + lookEveryMs, due };
      due.catch(() => (this.#seen = undefined));
    }
    return this.#seen.due;
  }

  /** What is due before the next look, and what Agenda wants to know ahead of its time then. */
  #horizonMs(): number {
    return lookEveryMs + 2 * this.#options.processEveryMs;
  }

  #forgetExpired(): void {
    const oldestMs = performance.now() - this.#options.lockLifetimeMs;
    for (const [id, locked] of this.#locked) {
      if (!locked.running && locked.sinceMs < oldestMs) this.#locked.delete(id);
    }
  }

  async #telling<T>(call: Promise<T>): Promise<T> {
    try {
      return await call;
    } catch (error) {
      this.tell(error);
      throw error;
    }
  }

  #track<T>(work: Promise<T>): Promise<T> {
    const tracked = work.finally(() => this.#underWay.delete(tracked));
    this.#underWay.add(tracked);
    return tracked;
  }
}

/** What both repositories of Agenda throw when a document whose state they save has been removed. */
function isGone(error: Error): boolean {
  return error.message.includes('maybe it does not exist anymore');
}

/**
 * What Agenda's watch over a run says when it looks while a store that is slow still saves the end of that run: the lock
 * is given up by then. While a handler runs its lock never ends (`never`).
 */
function isOver(error: Error): boolean {
  return error.message.includes('no lockedAt date found');
}
