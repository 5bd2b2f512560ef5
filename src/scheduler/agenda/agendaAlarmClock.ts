import { Agenda, type Job } from 'agenda';
import { StowageError } from '../../errors.js';
import type { Alarm, AlarmClock, AlarmHandlers } from '../alarmClock.js';
import { jobNames, toAlarm, toDocument, type AlarmData } from './alarmDocument.js';
import { documentsAtOnce, putAlarms, unavailable, type AlarmStore } from './alarmStore.js';
import { agendaLockLifetimeMs, GuardedRepository } from './guardedRepository.js';
import { RestingAgenda } from './restingAgenda.js';

export type AgendaOptions = {
  /**
   * Called for every failed handler (with its alarm), and for every failure of the store that is not thrown to a
   * caller. Must not throw. While a store is down, it is called every few seconds.
   */
  readonly onError: (error: unknown, alarm?: Alarm) => void;
  /** How often Agenda polls for alarms while an alarm is near. Alarms still fire on time. From 200 to 1000. */
  readonly processEveryMs?: number;
  /**
   * How long an alarm stays locked after its process was killed. After that it fires again, here or in another replica. The
   * lock is renewed while a handler runs. It must be longer than the difference between the clocks of two replicas.
   */
  readonly lockLifetimeMs?: number;
  /** How often a failing handler is called for one alarm. After that the alarm is removed, and the reconciler sets it again. */
  readonly attempts?: number;
  /** The pause before the second call. It doubles with each further call, up to a minute. */
  readonly firstRetryMs?: number;
};

export const defaults = { processEveryMs: 250, lockLifetimeMs: 10_000, attempts: 5, firstRetryMs: 1_000 } as const;

const atOnceOfEachKind = 100;
const longestRetryMs = 60_000;
const pingLimitMs = 5_000;

/**
 * An alarm clock that uses Agenda. Documents are inserted and deleted, and never updated. A handled document is deleted
 * before Agenda ends its run. If the process dies (kill -9), the alarm fires again when its lock has expired. An alarm
 * that its own handler has replaced is lost in this case, and the reconciler sets it again.
 */
export class AgendaAlarmClock implements AlarmClock {
  readonly #store: AlarmStore;
  readonly #options: Required<AgendaOptions>;
  readonly #guard: GuardedRepository;
  #agenda: RestingAgenda | undefined;
  #started: Promise<void> | undefined;
  #stopped: Promise<void> | undefined;

  /** Owns the store: `stop` closes it. */
  constructor(store: AlarmStore, options: AgendaOptions) {
    this.#store = store;
    this.#options = { ...defaults, ...options };
    this.#guard = new GuardedRepository(store, {
      lockedAtMost: atOnceOfEachKind,
      lockLifetimeMs: this.#options.lockLifetimeMs,
      processEveryMs: this.#options.processEveryMs,
      onError: (error) => this.#options.onError(unavailable(store, error)),
    });
  }

  async start(handlers: AlarmHandlers): Promise<void> {
    if (this.#agenda !== undefined || this.#stopped !== undefined) {
      throw new StowageError('INTERNAL', 'This alarm clock was started before. Open another one.');
    }
    const agenda = new Agenda({
      backend: {
        name: this.#store.name,
        repository: this.#guard.forAgenda,
        ownsConnection: false,
        connect: () => Promise.resolve(),
        disconnect: () => Promise.resolve(),
      },
      processEvery: this.#options.processEveryMs,
      defaultLockLifetime: agendaLockLifetimeMs,
      defaultConcurrency: atOnceOfEachKind,
      maxConcurrency: atOnceOfEachKind * Object.keys(jobNames).length,
    });
    agenda.on('error', (error: Error) => this.#guard.report(error));
    const { firstRetryMs } = this.#options;
    for (const name of Object.values(jobNames)) {
      agenda.define<AlarmData>(name, (job) => this.#handle(job, handlers), {
        backoff: ({ attempt }) => Math.min(firstRetryMs * 2 ** (attempt - 1), longestRetryMs),
      });
    }
    this.#agenda = new RestingAgenda(agenda, this.#guard);
    this.#started = this.#agenda.start();
    await this.#started;
  }

  async set(alarm: Alarm): Promise<void> {
    await this.setAll([alarm]);
  }

  async setAll(alarms: readonly Alarm[]): Promise<void> {
    await this.#askStore(() => putAlarms(this.#store, alarms.map(toDocument)));
    for (const { at } of alarms) {
      this.#guard.expect(at);
      this.#agenda?.expect(at);
    }
  }

  async cancel(key: string): Promise<void> {
    await this.cancelAll([key]);
  }

  async cancelAll(keys: readonly string[]): Promise<void> {
    for (let start = 0; start < keys.length; start += documentsAtOnce) {
      await this.#askStore(() => this.#store.removeByKeys(keys.slice(start, start + documentsAtOnce)));
    }
  }

  async list(): Promise<readonly Alarm[]> {
    const stored = await this.#askStore(() => this.#store.list());
    return stored.flatMap((data) => {
      try {
        return [toAlarm(data)];
      } catch (error) {
        this.#options.onError(error);
        return [];
      }
    });
  }

  async count(kind: Alarm['kind']): Promise<number> {
    return this.#askStore(() => this.#store.count(jobNames[kind]));
  }

  async ping(): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`No answer within ${pingLimitMs / 1_000} s.`)), pingLimitMs);
    });
    try {
      await this.#askStore(() => Promise.race([this.#store.ping(), late]));
    } finally {
      clearTimeout(timer);
    }
  }

  async stop(): Promise<void> {
    this.#stopped ??= this.#stopOnce();
    await this.#stopped;
  }

  async #stopOnce(): Promise<void> {
    const still = this.#guard.stop();
    await this.#started;
    await this.#agenda?.stop();
    await still;
    await this.#store.close();
  }

  async #handle(job: Job<AlarmData>, handlers: AlarmHandlers): Promise<void> {
    const { _id: id, name, data, failCount } = job.attrs;
    if (id === undefined) throw new StowageError('INTERNAL', 'Agenda runs a document without an id.');
    await this.#guard.running(id, name, async () => {
      const unlock = this.#keepLocked(job);
      let alarm: Alarm | undefined;
      try {
        alarm = toAlarm(data);
        await call(handlers, alarm);
      } catch (error) {
        this.#options.onError(error, alarm);
        if (alarm !== undefined && (failCount ?? 0) + 1 < this.#options.attempts) {
          // Agenda computes the time of the next attempt if this throws.
          this.#agenda?.expect(new Date());
          throw error;
        }
      } finally {
        await unlock();
      }
      await this.#store.removeByIds([id]);
    });
  }

  /**
   * Renews the lock until the returned function is called. Without the renewal another process would run the alarm too.
   */
  #keepLocked(job: Job<AlarmData>): () => Promise<void> {
    let renewal = Promise.resolve();
    const timer = setInterval(() => {
      renewal = this.#guard.renew(job.attrs);
    }, this.#options.lockLifetimeMs / 3);
    return async () => {
      clearInterval(timer);
      await renewal;
    };
  }

  async #askStore<T>(question: () => Promise<T>): Promise<T> {
    if (this.#stopped !== undefined)
      throw new StowageError('UNAVAILABLE', 'The alarm clock is stopped. Open another one.');
    try {
      return await question();
    } catch (error) {
      throw unavailable(this.#store, error);
    }
  }
}

function call(handlers: AlarmHandlers, alarm: Alarm): Promise<void> {
  if (alarm.kind === 'JOB_DUE') return handlers.jobDue({ jobId: alarm.jobId });
  const { planId, version, at: scheduledFor } = alarm;
  return handlers.planTick({ planId, version, scheduledFor });
}
