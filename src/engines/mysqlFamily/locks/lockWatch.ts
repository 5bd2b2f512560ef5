import { setTimeout as wait } from 'node:timers/promises';
import type { StowageError } from '../../../errors.js';
import { findLockSource, readLockPicture, type LockSource, type ServerSession } from './lockPicture.js';
import { gaveWay, waitedInVain } from './serviceBusy.js';
import { serverErrorNumber, type Session } from '../session/session.js';
import { findBlocked, findOwnWait, lastReadOf, waitsFor, type LastRead } from './whoWaits.js';

export type LockWatchOptions = {
  /** The subject of messages, for example `The dump`. */
  readonly what: string;
  /** Opens a session only for the watch. Its answers do not count as progress of the tool. */
  readonly connect: <T>(signal: AbortSignal, watch: (session: Session) => Promise<T>) => Promise<T>;
  /** Undefined: the tool's connection is unknown, or not known yet. */
  readonly findTool: (session: Session) => Promise<string | undefined>;
  /** The beginning of the hint when the tool waited too long. Absent: the hint announces another attempt. */
  readonly nextStep?: string;
  /** How long other sessions may wait for the tool. Null: no limit. */
  readonly patienceMs: number | null;
  /** How long the tool may wait for other sessions. Null: no limit. */
  readonly ownWaitMs: number | null;
  /** Called at most once, with SERVICE_BUSY, when the tool must end. Its connection is already being killed. */
  readonly onBusy: (error: StowageError) => void;
};

export type LockWatch = {
  /** Ends the watch and its session. Returns warnings. Never rejects. */
  stop(): Promise<readonly string[]>;
};

/** One check takes a fraction of a millisecond of the server's time. */
const everyMs = { least: 50, most: 1_000 };
const reconnectMs = 1_000;
/** How long the server may take to end the connection of a tool that must end. */
const endingMs = 10_000;

/**
 * Checks about once a second which sessions wait for the tool's locks, and which sessions hold the locks that the tool
 * waits for. If its session breaks, the watch connects again. A broken watch never ends the tool.
 */
export function watchLocks(options: LockWatchOptions): LockWatch {
  const stopped = new AbortController();
  const closed = new AbortController();
  const sight = new Sight();
  let isEnding = false;
  const onBusy = (error: StowageError) => {
    isEnding = true;
    setTimeout(() => closed.abort(), endingMs).unref();
    options.onBusy(error);
  };
  const signals = { stopped: stopped.signal, closed: closed.signal };
  const watching = watch({ ...options, onBusy }, signals, sight);
  return {
    stop: async () => {
      stopped.abort();
      // Waits until the connection of the tool is killed.
      if (!isEnding) closed.abort();
      await watching;
      return sight.warnings(options);
    },
  };
}

async function watch(
  options: LockWatchOptions,
  { stopped, closed }: { readonly stopped: AbortSignal; readonly closed: AbortSignal },
  sight: Sight,
): Promise<void> {
  while (!stopped.aborted) {
    try {
      if (await options.connect(closed, (session) => watchWith(session, options, stopped, sight))) return;
    } catch (error) {
      sight.lost(error);
    }
    await pause(reconnectMs, stopped);
  }
}

/** Runs until the signal aborts, or until the tool must end. Returns true if the tool must end. */
async function watchWith(
  session: Session,
  options: LockWatchOptions,
  signal: AbortSignal,
  sight: Sight,
): Promise<boolean> {
  const { patienceMs, ownWaitMs } = options;
  const source = await findLockSource(session);
  const pauseMs = between(everyMs, Math.min(patienceMs ?? Infinity, ownWaitMs ?? Infinity) / 10);
  const state: WatchState = { since: new Map(), lastRead: undefined };
  let toolId: string | undefined;
  while (!signal.aborted) {
    toolId ??= await options.findTool(session);
    if (toolId !== undefined) {
      sight.found();
      const busy = await lookOnce(session, { ...options, source, toolId }, state);
      if (busy !== undefined) {
        options.onBusy(busy);
        await endConnection(session, toolId).catch(() => undefined);
        return true;
      }
    }
    await pause(pauseMs, signal);
  }
  return false;
}

type WatchState = {
  /** When each session was first seen waiting. The key is the session and its statement. */
  since: ReadonlyMap<string, number>;
  lastRead: LastRead | undefined;
};

async function lookOnce(
  session: Session,
  check: LockWatchOptions & { readonly source: LockSource; readonly toolId: string },
  state: WatchState,
): Promise<StowageError | undefined> {
  const { source, toolId, patienceMs, ownWaitMs } = check;
  const picture = await readLockPicture(session, source, toolId);
  const tool = picture.sessions.find(({ id }) => id === toolId);
  state.lastRead = lastReadOf(tool, state.lastRead);
  const blocked = findBlocked(picture, toolId, state.lastRead);
  const own = findOwnWait(picture, toolId);
  const waiting = [...blocked.map(({ session: each }) => each), ...(own === undefined ? [] : [own.session])];
  const now = performance.now();
  state.since = new Map(waiting.map(waitOf).map((key) => [key, state.since.get(key) ?? now]));
  const waitedMs = (each: ServerSession) => now - (state.since.get(waitOf(each)) ?? now);

  const [longest, ...others] = [...blocked].sort((a, b) => waitedMs(b.session) - waitedMs(a.session));
  if (longest !== undefined && patienceMs !== null && waitedMs(longest.session) >= patienceMs) {
    const named = [longest, ...others].find(({ isFirst }) => isFirst) ?? longest;
    const behind = picture.sessions.filter((each) => each.id !== toolId && waitsFor(each, named.table));
    return gaveWay(named, waitedMs(named.session), behind.length - 1);
  }
  if (own !== undefined && ownWaitMs !== null && waitedMs(own.session) >= ownWaitMs) {
    const everybody = await readLockPicture(session, source, toolId, true);
    const { advice } = session.dialect.locks;
    const steps = { next: check.nextStep, advice };
    return waitedInVain(check.what, findOwnWait(everybody, toolId) ?? own, waitedMs(own.session), steps);
  }
  return undefined;
}

/** Each statement of a session starts a new wait. */
function waitOf({ id, queryId }: ServerSession): string {
  return `${id} ${queryId}`;
}

/** When this returns, the tool's locks are released, also if the server has not noticed that the tool has ended. */
async function endConnection(session: Session, id: string): Promise<void> {
  const until = performance.now() + endingMs;
  try {
    await session.query(`KILL CONNECTION ${Number(id)}`);
  } catch (error) {
    // 1094: the connection has already ended.
    if (serverErrorNumber(error) !== 1094) throw error;
  }
  while (performance.now() < until) {
    const rows = await session.query('SELECT id FROM information_schema.processlist WHERE id = ?', [id]);
    if (rows.length === 0) return;
    await wait(20);
  }
}

/** The time in which the watch could not see whether other sessions wait. */
class Sight {
  #blindSince: number | undefined = performance.now();
  #longestMs = 0;
  #why: string | undefined;

  found(): void {
    if (this.#blindSince !== undefined)
      this.#longestMs = Math.max(this.#longestMs, performance.now() - this.#blindSince);
    this.#blindSince = undefined;
  }

  lost(error: unknown): void {
    this.#blindSince ??= performance.now();
    this.#why = error instanceof Error ? error.message : String(error);
  }

  warnings({ what, patienceMs }: LockWatchOptions): readonly string[] {
    if (patienceMs === null) return [];
    this.found();
    if (this.#longestMs <= Math.max(patienceMs, 10_000)) return [];
    const why = this.#why ?? 'the connection of the tool could not be distinguished from others of its account';
    return [
      `For ${Math.round(this.#longestMs / 1_000)} s ${what} would not have ended for waiting sessions, because they were not visible: ${why}`,
    ];
  }
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await wait(ms, undefined, { signal }).catch(() => undefined);
}

function between({ least, most }: { readonly least: number; readonly most: number }, value: number): number {
  return Math.min(most, Math.max(least, value));
}
