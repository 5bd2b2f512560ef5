import type { LockPicture, MetadataLock, ServerSession } from './lockPicture.js';
import { waitsForLock } from './lockPicture.js';
import { isSameName, readStatement, tableRead, type TableName } from './readStatement.js';

/** A session that waits for a lock of ours, and the table. */
export type Blocked = {
  readonly session: ServerSession;
  readonly table: TableName;
  /** It waits for our tool itself, and not behind somebody who does. */
  readonly isFirst: boolean;
};

/** What our tool waits for, and who is in its way. */
export type OwnWait = Wait & { readonly session: ServerSession };

export type Wait = {
  /** As the server calls it, for example `Waiting for table metadata lock`. */
  readonly state: string;
  /** Undefined: it is no table, or its statement does not name it. */
  readonly table: TableName | undefined;
  /** Null: this server does not show it. */
  readonly holders:
    readonly { readonly sessionId: string; readonly session?: ServerSession; readonly mode: string }[] | null;
};

/** The table that a tool was last seen to read. The statement's number tells whether it has gone on since. */
export type LastRead = { readonly table: TableName; readonly queryId: string };

/**
 * What the tool reads at this instant; `before` is what the last look gave. A tool whose output is not taken sleeps with
 * the lock of the table: the server has sent all of it, and the transaction goes on.
 */
export function lastReadOf(tool: ServerSession | undefined, before: LastRead | undefined): LastRead | undefined {
  if (tool === undefined || waitsForLock(tool)) return undefined;
  if (tool.statement === null) return before?.queryId === tool.queryId ? before : undefined;
  const table = tableRead(tool.statement, tool.database);
  return table === undefined ? undefined : { table, queryId: tool.queryId };
}

/**
 * Those that wait for a lock that the tool holds. Where the server shows who holds and who waits for what, that decides;
 * else the statements do: somebody waits for us who asks to keep readers out of a table that the tool reads. A session
 * that queues up behind such a one is not listed by its statement; it waits no longer than the one it is behind.
 */
export function findBlocked(picture: LockPicture, toolId: string, lastRead: LastRead | undefined): readonly Blocked[] {
  const ours = tablesOf(picture, toolId, lastRead);
  if (ours.length === 0) return [];
  return picture.sessions
    .filter((session) => session.id !== toolId && waitsForLock(session))
    .flatMap((session) => {
      const table = tableWaitedFor(picture, session, ours) ?? onlyCause(picture, session, toolId, ours);
      if (table === undefined) return [];
      return [{ session, table, isFirst: !goesWithReaders(session) }];
    });
}

/** Whether it waits, and its statement names that table. */
export function waitsFor(session: ServerSession, table: TableName): boolean {
  return waitsForLock(session) && readStatement(session.statement ?? '').names(table, session.database);
}

/** Undefined: the tool does not wait for a lock. */
export function findOwnWait(picture: LockPicture, toolId: string): OwnWait | undefined {
  const tool = picture.sessions.find(({ id }) => id === toolId);
  if (tool === undefined || !waitsForLock(tool)) return undefined;
  const table = tool.statement === null ? undefined : tableRead(tool.statement, tool.database);
  return { session: tool, state: tool.state, table, holders: holdersOf(picture, toolId, tool.state, table) };
}

/** Who holds a table, or keeps everybody from writing; those that wait themselves come last. */
export function holdersOf(
  { locks, sessions }: LockPicture,
  toolId: string,
  state: string,
  table: TableName | undefined,
): OwnWait['holders'] {
  if (locks === null) return null;
  const global = /backup|global|commit/i.test(state);
  const holding = locks.filter((lock) => {
    if (lock.isPending || lock.sessionId === toolId) return false;
    if (global) return /^(backup|global|commit)$/i.test(lock.kind) && /FTWRL|BLOCK|WAIT|^SHARED$/.test(lock.mode);
    return table === undefined ? keepsReadersOut(lock) : isLockOf(lock, table);
  });
  const found = holding.map(({ sessionId, mode }) => {
    const session = sessions.find(({ id }) => id === sessionId);
    return session === undefined ? { sessionId, mode } : { sessionId, mode, session };
  });
  const waits = ({ session }: { session?: ServerSession }) => (session !== undefined && waitsForLock(session) ? 1 : 0);
  return found.sort((a, b) => waits(a) - waits(b));
}

function tablesOf(picture: LockPicture, toolId: string, lastRead: LastRead | undefined): readonly TableName[] {
  if (picture.locks === null) return lastRead === undefined ? [] : [lastRead.table];
  return picture.locks
    .filter(({ sessionId, isPending, kind }) => sessionId === toolId && !isPending && kind === 'Table')
    .map(({ database, table }) => ({ database, table }));
}

function tableWaitedFor(
  { locks, showsPending }: LockPicture,
  session: ServerSession,
  ours: readonly TableName[],
): TableName | undefined {
  const { state, database } = session;
  const statement = readStatement(session.statement ?? '');
  if (/table level lock/i.test(state)) {
    // Readers wait here only behind somebody who writes. Of INSERT DELAYED the statement is the table's name alone.
    return statement.kind === 'SELECT' ? undefined : ours.find((table) => statement.names(table, database));
  }
  if (/table flush/i.test(state)) {
    const named = ours.find((table) => statement.names(table, database));
    return named ?? (statement.kind?.startsWith('FLUSH') === true && !statement.namesAny ? ours[0] : undefined);
  }
  if (!/metadata lock/i.test(state)) return undefined;
  if (locks !== null && showsPending) {
    const pending = locks.filter((lock) => lock.isPending && lock.sessionId === session.id);
    return ours.find((table) => pending.some((lock) => isLockOf(lock, table)));
  }
  return ours.find((table) => statement.excludesReaders(table, database));
}

/** Whoever waits for a metadata lock waits for somebody who goes on: where only the tool does, it waits for the tool. */
function onlyCause(
  { locks, showsPending, sessions }: LockPicture,
  session: ServerSession,
  toolId: string,
  ours: readonly TableName[],
): TableName | undefined {
  if (locks === null || showsPending || !/metadata lock/i.test(session.state)) return undefined;
  const waiting = new Set(sessions.filter(waitsForLock).map(({ id }) => id));
  const others = locks.some(({ sessionId, kind }) => {
    return kind !== 'Backup' && kind !== 'Global read' && sessionId !== toolId && !waiting.has(sessionId);
  });
  return others ? undefined : ours[0];
}

/** Of a metadata lock those that read and write rows hinder nobody; of a table's own lock those that read. */
function goesWithReaders({ state, statement }: ServerSession): boolean {
  const { kind } = readStatement(statement ?? '');
  return /metadata lock/i.test(state)
    ? kind !== null && /^(SELECT|WITH|INSERT|REPLACE|UPDATE|DELETE|LOAD|CALL)$/.test(kind)
    : kind === 'SELECT';
}

function keepsReadersOut({ kind, mode }: MetadataLock): boolean {
  return kind === 'Table' && /^(EXCLUSIVE|SHARED_NO_READ_WRITE)$/.test(mode);
}

function isLockOf(lock: MetadataLock, { database, table }: TableName): boolean {
  return lock.kind === 'Table' && isSameName(lock.database, database) && isSameName(lock.table, table);
}
