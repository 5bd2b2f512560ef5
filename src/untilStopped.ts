import type { EventEmitter } from 'node:events';
import { StowageError } from './errors.js';
import type { Log } from './log.js';

export type Running = {
  /** Finishes or hands back what it holds and closes everything it opened. */
  stop(): Promise<void>;
  /** Resolves with the reason when the role cannot go on by itself; it is then stopped. */
  readonly broken?: Promise<Error>;
};

/** What a shell reports for a process that a signal ended: 128 + its number. */
const signals = { SIGTERM: 143, SIGINT: 130 } as const;

/**
 * Starts a role, waits for SIGTERM or SIGINT, stops it and answers the exit code: 0 after a clean stop, 1 when starting
 * or stopping failed, when the role broke, when stopping took longer than `graceMs`, or when an error reached nobody; 128 + the signal's
 * number when a second signal asked to end at once. A signal during the start is obeyed as soon as the start is over.
 *
 * `events` is the process: it emits signals, `unhandledRejection` and `uncaughtException`.
 */
export async function untilStopped(
  start: () => Promise<Running>,
  events: Pick<EventEmitter, 'on' | 'off'>,
  log: Log,
  graceMs: number,
): Promise<number> {
  const asked = exitCode();
  const atOnce = exitCode();
  let stopping = false;

  const onSignal = (signal: keyof typeof signals): void => {
    if (stopping) {
      atOnce.resolve(signals[signal]);
      return;
    }
    stopping = true;
    log.info(`${signal}: stopping. A second signal ends at once.`);
    asked.resolve(0);
  };
  const onLostError = (error: unknown): void => {
    log.fatal({ err: error }, 'An error reached nobody: a defect of Stowage. Stopping.');
    (stopping ? atOnce : asked).resolve(1);
    stopping = true;
  };
  const onBroken = (reason: Error): void => {
    if (stopping) return;
    log.fatal({ err: reason }, 'It cannot go on. Stopping.');
    stopping = true;
    asked.resolve(1);
  };
  const listeners = [
    ['SIGTERM', onSignal],
    ['SIGINT', onSignal],
    ['unhandledRejection', onLostError],
    ['uncaughtException', onLostError],
  ] as const;
  for (const [name, listener] of listeners) events.on(name, listener);

  let timer: NodeJS.Timeout | undefined;
  try {
    return await Promise.race([atOnce.promise, run()]);
  } finally {
    clearTimeout(timer);
    for (const [name, listener] of listeners) events.off(name, listener);
  }

  async function run(): Promise<number> {
    let role: Running;
    try {
      role = await start();
    } catch (error) {
      // What the catalogue explains needs no stack: the sentence and the way out come last, where a person looks.
      if (error instanceof StowageError)
        log.fatal({ code: error.code, cause: String(error.cause) }, `The start failed: ${error.message} ${error.help}`);
      else log.fatal({ err: error }, 'The start failed.');
      return 1;
    }
    void role.broken?.then(onBroken);
    const code = await asked.promise;
    timer = setTimeout(() => {
      log.error(`Not stopped within ${graceMs / 1000} s (STOWAGE_STOP_GRACE). Ending anyway.`);
      atOnce.resolve(1);
    }, graceMs);
    try {
      await role.stop();
    } catch (error) {
      log.fatal({ err: error }, 'The stop failed.');
      return 1;
    }
    log.info('Stopped.');
    return code;
  }
}

/** A promise of an exit code that is resolved from outside. */
function exitCode() {
  let resolve: (code: number) => void = () => undefined;
  const promise = new Promise<number>((settle) => (resolve = settle));
  return { promise, resolve };
}
