import type { Agenda } from 'agenda';
import type { GuardedRepository } from './guardedRepository.js';

/** How often a process whose Agenda rests looks for what others have set. */
export const restMs = 5_000;

/**
 * Runs Agenda only while something is near: with nothing to do its timers and polls cost a process more than all the
 * rest of it. Every 5 s one look for all job names says whether anything is due before the next look; what this process
 * sets itself wakes it at once, so only what was set by a process that is gone by now waits for a look.
 */
export class RestingAgenda {
  readonly #agenda: Pick<Agenda, 'start' | 'stop'>;
  readonly #guard: Pick<GuardedRepository, 'isAnyDueWithin' | 'activity' | 'isIdle'>;
  #runs = false;
  /** Each start and stop of Agenda comes after the one before. */
  #turning: Promise<void> = Promise.resolve();
  #looking: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;

  constructor(
    agenda: Pick<Agenda, 'start' | 'stop'>,
    guard: Pick<GuardedRepository, 'isAnyDueWithin' | 'activity' | 'isIdle'>,
  ) {
    this.#agenda = agenda;
    this.#guard = guard;
  }

  /** Resolves when Agenda runs; it rests as soon as a look finds nothing near. */
  async start(): Promise<void> {
    await this.#turn(true);
    this.#look();
  }

  /** An alarm is being set in this process. */
  expect(at: Date): void {
    if (!this.#stopped && at.getTime() <= Date.now() + restMs) void this.#turn(true);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    await this.#looking;
    await this.#turn(false);
  }

  #look(): void {
    this.#looking = this.#isAnythingNear().then((near) => {
      this.#looking = undefined;
      if (this.#stopped) return;
      void this.#turn(near);
      this.#timer = setTimeout(() => this.#look(), restMs);
    });
  }

  async #isAnythingNear(): Promise<boolean> {
    const before = this.#guard.activity;
    // A store that does not answer is told of by Agenda's polls, which go on until it does.
    const due = await this.#guard.isAnyDueWithin(restMs).catch(() => true);
    return due || !this.#guard.isIdle || this.#guard.activity !== before;
  }

  #turn(runs: boolean): Promise<void> {
    if (runs !== this.#runs) {
      this.#runs = runs;
      this.#turning = this.#turning.then(() => (runs ? this.#agenda.start() : this.#agenda.stop(false)));
    }
    return this.#turning;
  }
}
