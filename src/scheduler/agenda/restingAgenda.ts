import type { Agenda } from 'agenda';
import type { GuardedRepository } from './guardedRepository.js';

/** How often a process polls for alarms of other processes while its Agenda rests. */
export const restMs = 5_000;

/**
 * Runs Agenda only while an alarm is near. In an idle process Agenda's timers and polls would cost more than everything
 * else. Every 5 s one poll for all job names checks whether anything is due before the next poll. An alarm that this
 * process sets starts Agenda at once. So an alarm waits for the poll only if the process that set it has ended.
 */
export class RestingAgenda {
  readonly #agenda: Pick<Agenda, 'start' | 'stop'>;
  readonly #guard: Pick<GuardedRepository, 'isAnyDueWithin' | 'activity' | 'isIdle'>;
  #runs = false;
  /** Starts and stops of Agenda run one after the other. */
  #switching: Promise<void> = Promise.resolve();
  #polling: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;

  constructor(
    agenda: Pick<Agenda, 'start' | 'stop'>,
    guard: Pick<GuardedRepository, 'isAnyDueWithin' | 'activity' | 'isIdle'>,
  ) {
    this.#agenda = agenda;
    this.#guard = guard;
  }

  /** Resolves when Agenda runs. Agenda rests as soon as a poll finds no alarm that is near. */
  async start(): Promise<void> {
    await this.#switchTo(true);
    this.#poll();
  }

  /** Call it when an alarm is set in this process. */
  expect(at: Date): void {
    if (!this.#stopped && at.getTime() <= Date.now() + restMs) void this.#switchTo(true);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    await this.#polling;
    await this.#switchTo(false);
  }

  #poll(): void {
    this.#polling = this.#isAnythingNear().then((near) => {
      this.#polling = undefined;
      if (this.#stopped) return;
      void this.#switchTo(near);
      this.#timer = setTimeout(() => this.#poll(), restMs);
    });
  }

  async #isAnythingNear(): Promise<boolean> {
    const before = this.#guard.activity;
    // If the store does not answer, Agenda's own polls continue and report it.
    const due = await this.#guard.isAnyDueWithin(restMs).catch(() => true);
    return due || !this.#guard.isIdle || this.#guard.activity !== before;
  }

  #switchTo(runs: boolean): Promise<void> {
    if (runs !== this.#runs) {
      this.#runs = runs;
      this.#switching = this.#switching.then(() => (runs ? this.#agenda.start() : this.#agenda.stop(false)));
    }
    return this.#switching;
  }
}
