import { StowageError } from '../../../errors.js';
import type { ServerSession } from './lockPicture.js';
import { readStatement, type TableName } from './readStatement.js';
import type { Blocked, Wait } from './whoWaits.js';

/**
 * The dump ended because another session waited. The error names the session and the table, but no value of a
 * statement.
 */
export function gaveWay(blocked: Blocked, waitedMs: number, others: number): StowageError {
  const kind = readStatement(blocked.session.statement ?? '').kind;
  const more = others === 0 ? '' : ` ${others} more ${others === 1 ? 'session waits' : 'sessions wait'} with it.`;
  return new StowageError(
    'SERVICE_BUSY',
    `The dump ended because another session waited: ${named(blocked.session)} waited ${seconds(waitedMs)} for table ${quoted(blocked.table)}, ` +
      `which the dump was reading, to run ${kind ?? 'a statement'}.${more}`,
    {
      help:
        'It is tried again while attempts are left. If it recurs, back up at another time of day, or run such ' +
        'statements at another time. A longer STOWAGE_LOCK_PATIENCE lets them wait longer; with yieldToLocks: false ' +
        'the plan lets them wait until the table is dumped.',
      details: {
        blocked: facts(blocked.session),
        statement: kind,
        table: blocked.table,
        waitedMs: Math.round(waitedMs),
      },
    },
  );
}

type NextSteps = {
  /** The beginning of the hint. */
  readonly next?: string | undefined;
  /** How a person lets the server show the session that holds a lock. */
  readonly advice: string;
};

/** The tool waited for another session longer than allowed. */
export function waitedInVain(
  what: string,
  wait: Wait,
  waitedMs: number,
  { next = 'It is tried again while attempts are left. If it recurs, ', advice }: NextSteps,
): StowageError {
  const { table, holders } = wait;
  const object = table === undefined ? `for a lock (${wait.state})` : `for table ${quoted(table)}`;
  return new StowageError('SERVICE_BUSY', `${what} waited ${seconds(waitedMs)} ${object}: ${holding(holders)}.`, {
    help: `${next}${holders === null ? `${findIt} ${advice}` : endIt}`,
    details: {
      ...(table === undefined ? {} : { table }),
      holders:
        holders?.map(({ sessionId, mode, session }) => ({ sessionId, mode, ...(session && facts(session)) })) ?? null,
      waitedMs: Math.round(waitedMs),
    },
  });
}

const endIt =
  'end what the message names (LOCK TABLES, FLUSH TABLES WITH READ LOCK, a long ALTER TABLE), or choose another time of day.';
const findIt =
  'search with SHOW FULL PROCESSLIST for a session that holds locks (LOCK TABLES, FLUSH TABLES WITH READ LOCK, a long ' +
  'ALTER TABLE), or choose another time of day.';

function holding(holders: Wait['holders']): string {
  if (holders === null) return 'another session holds a lock on it, and this server does not show which';
  if (holders.length === 0) return 'the server shows no session that holds it';
  const shown = holders.slice(0, 3).map(({ sessionId, session, mode }) => {
    const how = modes[mode];
    return `${session === undefined ? `connection ${sessionId}` : named(session)} holds it${how === undefined ? '' : ` (${how})`}`;
  });
  const more = holders.length > 3 ? `, and ${holders.length - 3} more` : '';
  return `${shown.join(', ')}${more}`;
}

/** The statements that acquire each mode of metadata lock (MariaDB manual, "METADATA_LOCK_INFO Plugin"). */
const modes: Readonly<Record<string, string>> = {
  SHARED_NO_READ_WRITE: 'LOCK TABLES … WRITE',
  EXCLUSIVE: 'a change of its definition',
  SHARED_UPGRADABLE: 'an ALTER TABLE',
  SHARED_NO_WRITE: 'an ALTER TABLE',
  SHARED_READ: 'a transaction that has read it',
  SHARED_WRITE: 'a transaction that has written to it',
  BACKUP_FTWRL1: 'FLUSH TABLES WITH READ LOCK',
  BACKUP_FTWRL2: 'FLUSH TABLES WITH READ LOCK',
};

function named({ id, user, host }: ServerSession): string {
  return `user '${user}'${host === '' ? '' : ` at ${host}`} (connection ${id})`;
}

function facts({ id, user, host }: ServerSession) {
  return { connectionId: id, user, host };
}

function quoted({ database, table }: TableName): string {
  return `'${database}.${table}'`;
}

function seconds(ms: number): string {
  return `${Math.round(ms / 100) / 10} s`;
}
