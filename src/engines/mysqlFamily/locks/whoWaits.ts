import type { LockPicture, MetadataLock, ServerSession } from './lockPicture.js';
import { waitsForLock } from './lockPicture.js';
import { isSameName, readStatement, tableRead, type TableName } from './readStatement.js';

/** A session that waits for a lock of our tool, and the table. */
export type Blocked = {
  readonly session: ServerSession;
  readonly table: TableName;
  /** It waits for the tool directly, and not behind another waiting session. */
  readonly isFirst: boolean;
};

/** The lock that our tool waits for, and the sessions that hold it. */
export type OwnWait = Wait & { readonly session: ServerSession };

export type Wait = {
  /** The state in the words of the server, for example `Waiting for table metadata lock`. */
  readonly state: string;
  /** Undefined: the lock is not on a table, or the statement does not name the table. */
  readonly table: TableName | undefined;
  /** Null: this server does not show holders. */
  readonly holders:
    readonly { readonly sessionId: string; readonly session?: ServerSession; readonly mode: string }[] | null;
};

/** The table that the tool read at the last check. A new statement number means that it has moved on. */
export type LastRead = { readonly table: TableName; readonly queryId: string };

/**
 * The table that the tool reads now. `before` is the result of the last check. A tool whose output is not read sleeps
 * and still holds the lock: the server has sent the whole table, and the transaction is open.
 */
export function lastReadOf(tool: ServerSession | undefined, before: LastRead | undefined): LastRead | undefined {
  if (tool === undefined || waitsForLock(tool)) return undefined;
  if (tool.statement === null) return before?.queryId === tool.queryId ? before : undefined;
  const table = tableRead(tool.statement, tool.database);
  return table === undefined ? undefined : { table, queryId: tool.queryId };
}

/**
 * The sessions that wait for a lock that the tool holds. If the server shows holders and pending locks, these decide.
 * Otherwise the statements decide: a session waits for the tool if it asks for an exclusive lock on the table that the
 * tool reads. A session that queues behind it is then not listed, because it does not wait longer than the session in
 * front.
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

/** Whether the session waits and its statement names that table. */
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

/** The sessions that hold a table or a global lock. Sessions that wait themselves come last. */
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
    // Readers wait in this state only behind a writer. The statement of an INSERT DELAYED is only the table's name.
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

/**
 * A session that waits for a metadata lock waits for a running session. So if only the tool runs, it waits for the
 * tool.
 */
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

/**
 * Modes that block no session: reading and writing rows for a metadata lock, and reading for a lock of the table
 * itself.
 */
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
