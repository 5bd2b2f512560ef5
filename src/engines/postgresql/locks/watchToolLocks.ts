import { setTimeout as wait } from 'node:timers/promises';
import { StowageError } from '../../../errors.js';
import type { EngineContext } from '../../engineContext.js';
import type { Conversations } from '../../conversation/conversations.js';
import type { ServerAddress } from '../../network/serverAddress.js';
import type { ServiceConnection } from '../../serviceConnection.js';
import { openSessionAt, type Session } from '../session/session.js';
import { named, readLockWaits, type ServerSession } from './lockWaits.js';

/** The end of a watch: warnings of the backup, and for whom the tool waited last. */
export type WatchEnd = { readonly warnings: readonly string[]; readonly lastWait: StowageError | undefined };

export type ToolWatch = { stop(): Promise<WatchEnd> };

const everyMs = 1_000;

/**
 * Watches the locks of a running tool, which is found by its application name. If another session waits for the tool for
 * longer than `lockPatienceMs`, `onBusy` gets the error with which the job gives way. Never rejects.
 */
export function watchToolLocks(
  what: string,
  connection: ServiceConnection,
  server: ServerAddress,
  options: { readonly conversations: Conversations; readonly applicationName: string; readonly database?: string },
  { lockPatienceMs: patienceMs = null }: Pick<EngineContext, 'lockPatienceMs'>,
  onBusy: (error: StowageError) => void,
): ToolWatch {
  const stopping = new AbortController();
  const state = {
    unwatchedSince: performance.now(),
    longestUnwatchedMs: 0,
    lastWait: undefined as StowageError | undefined,
  };
  const seen = { behind: new Map<number, number>(), before: new Map<number, number>() };
  const look = async (session: Session) => {
    const { behindTool, beforeTool } = await readLockWaits(session, options.applicationName);
    const now = performance.now();
    state.longestUnwatchedMs = Math.max(state.longestUnwatchedMs, now - state.unwatchedSince);
    state.unwatchedSince = now;
    const [longest, ...others] = waits(seen.behind, behindTool, now);
    if (longest !== undefined && patienceMs !== null && longest.ms >= patienceMs) {
      onBusy(gaveWay(what, longest.session, longest.ms, others.length));
    }
    const [holder] = waits(seen.before, beforeTool, now);
    if (holder !== undefined) state.lastWait = waitedInVain(what, beforeTool, holder.ms);
  };
  const run = async () => {
    while (!stopping.signal.aborted) {
      await watchOnce(connection, server, { ...options, signal: stopping.signal }, look).catch(() => undefined);
      await pause(stopping.signal);
    }
  };
  const running = run();
  return {
    async stop() {
      stopping.abort();
      await running;
      const unwatchedMs = Math.max(state.longestUnwatchedMs, performance.now() - state.unwatchedSince);
      const isLong = patienceMs !== null && unwatchedMs > patienceMs + 5 * everyMs;
      return { lastWait: state.lastWait, warnings: isLong ? [unwatched(what, unwatchedMs)] : [] };
    },
  };
}

/** Looks once a second until the signal aborts or the session breaks. */
async function watchOnce(
  connection: ServiceConnection,
  server: ServerAddress,
  options: { readonly conversations: Conversations; readonly database?: string; readonly signal: AbortSignal },
  look: (session: Session) => Promise<void>,
): Promise<void> {
  const session = await openSessionAt(connection, [server], options, options.database);
  try {
    while (!options.signal.aborted) {
      await look(session);
      await pause(options.signal);
    }
  } finally {
    session.close();
  }
}

async function pause(signal: AbortSignal): Promise<void> {
  await wait(everyMs, undefined, { signal, ref: false }).catch(() => undefined);
}

type LongWait = { readonly session: ServerSession; readonly ms: number };

/** How long each session has been seen waiting, the longest first. `since` keeps the times. */
function waits(since: Map<number, number>, sessions: readonly ServerSession[], now: number): readonly LongWait[] {
  const pids = new Set(sessions.map(({ pid }) => pid));
  for (const pid of since.keys()) if (!pids.has(pid)) since.delete(pid);
  return sessions
    .map((session) => {
      if (!since.has(session.pid)) since.set(session.pid, now);
      return { session, ms: now - (since.get(session.pid) ?? now) };
    })
    .sort((one, other) => other.ms - one.ms);
}

function gaveWay(what: string, session: ServerSession, ms: number, others: number): StowageError {
  const table = session.table === undefined ? 'a lock' : `table ${session.table}`;
  const more = others === 0 ? '' : ` ${others} more ${others === 1 ? 'session waits' : 'sessions wait'} with it.`;
  return new StowageError(
    'SERVICE_BUSY',
    `${what} ended because another session waited: ${named(session)} waited ${seconds(ms)} for ${table}, to run ${session.statement ?? 'a statement'}.${more}`,
    {
      help:
        'It is tried again while attempts are left. If it recurs, back up at another time of day, or run such statements at ' +
        'another time. A longer STOWAGE_LOCK_PATIENCE lets them wait longer; with yieldToLocks: false the plan lets them wait ' +
        'until the dump ends.',
      details: { blocked: session, waitedMs: Math.round(ms) },
    },
  );
}

function waitedInVain(what: string, holders: readonly ServerSession[], ms: number): StowageError {
  const [first] = holders;
  const table = first?.table === undefined ? 'a lock' : `table ${first.table}`;
  return new StowageError(
    'SERVICE_BUSY',
    `${what} waited ${seconds(ms)} for ${table}, which ${holders.map(named).join(', ')} ${holders.length === 1 ? 'holds' : 'hold'}.`,
    {
      help: 'It is tried again while attempts are left. If it recurs, end the transaction of that session, or choose another time of day.',
      details: { holders, waitedMs: Math.round(ms) },
    },
  );
}

function unwatched(what: string, ms: number): string {
  return `${what} was not watched for ${seconds(ms)}, because the server refused another connection of the account. Meanwhile it did not give way to other sessions.`;
}

function seconds(ms: number): string {
  return `${Math.max(1, Math.round(ms / 1_000))} s`;
}
