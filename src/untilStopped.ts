import type { EventEmitter } from 'node:events';
import { ConfigError } from './configError.js';
import { StowageError } from './errors.js';
import type { Log } from './log.js';

export type Running = {
  /** Finishes or hands back its jobs and closes everything that it opened. */
  stop(): Promise<void>;
  /** Resolves with the reason if the role cannot continue. It is then stopped. */
  readonly broken?: Promise<Error>;
};

/** The exit code that a shell reports for a process that a signal ended: 128 + the number of the signal. */
const signals = { SIGTERM: 143, SIGINT: 130 } as const;

/**
 * Starts a role, waits for SIGTERM or SIGINT, stops the role and returns the exit code:
 * - 0 after a clean stop;
 * - 78 if a setting cannot be used;
 * - 1 if starting or stopping failed, the role broke, stopping took longer than `graceMs`, or an error was not handled;
 * - 128 + the number of the signal after a second signal, which ends the process at once.
 *
 * A signal during the start takes effect when the start is complete.
 *
 * `events` is the process: it emits signals, `unhandledRejection` and `uncaughtException`.
 */
export async function untilStopped(
  start: () => Promise<Running>,
  events: Pick<EventEmitter, 'on' | 'off'>,
  log: Log,
  graceMs: number,
): Promise<number> {
  const stopRequest = exitCode();
  const atOnce = exitCode();
  let stopping = false;

  const onSignal = (signal: keyof typeof signals): void => {
    if (stopping) atOnce.resolve(signals[signal]);
    else log.info(`${signal}: stopping. A second signal ends at once.`);
    stopping = true;
    stopRequest.resolve(0);
  };
  const onLostError = (error: unknown): void => {
    log.fatal({ err: error }, 'An error was not handled: a defect of Stowage. Stopping.');
    (stopping ? atOnce : stopRequest).resolve(1);
    stopping = true;
  };
  const onBroken = (reason: Error): void => {
    if (stopping) return;
    log.fatal({ err: reason }, 'The process cannot continue. Stopping.');
    stopping = true;
    stopRequest.resolve(1);
  };
  const listeners = Object.entries({
    ...{ SIGTERM: onSignal, SIGINT: onSignal },
    ...{ unhandledRejection: onLostError, uncaughtException: onLostError },
  });
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
      logFailedStart(log, error);
      return error instanceof ConfigError ? error.exitCode : 1;
    }
    void role.broken?.then(onBroken);
    const code = await stopRequest.promise;
    timer = setTimeout(() => {
      log.error(`Not stopped within ${graceMs / 1000} s (STOWAGE_STOP_GRACE). The process ends anyway.`);
      atOnce.resolve(1);
    }, graceMs);
    return (await hasStopped(role, log)) ? code : 1;
  }
}

async function hasStopped(role: Running, log: Log): Promise<boolean> {
  try {
    await role.stop();
    log.info('Stopped.');
    return true;
  } catch (error) {
    log.fatal({ err: error }, 'The stop failed.');
    return false;
  }
}

function logFailedStart(log: Log, error: unknown): void {
  // An error of the catalogue needs no stack. The message and the advice come last, because a person sees the last
  // lines first.
  if (error instanceof StowageError)
    log.fatal({ code: error.code, cause: String(error.cause) }, `The start failed: ${error.message} ${error.help}`);
  else if (error instanceof ConfigError) error.problems.forEach((problem) => log.fatal(problem));
  else log.fatal({ err: error }, 'The start failed.');
}

/** A promise of an exit code, with its resolve function. */
function exitCode() {
  let resolve: (code: number) => void = () => undefined;
  const promise = new Promise<number>((settle) => (resolve = settle));
  return { promise, resolve };
}
