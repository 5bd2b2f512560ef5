import type { Row, Session } from '../session/session.js';
import { shortText } from '../session/session.js';

/** A session of the server, without its statement. */
export type ServerSession = {
  readonly pid: number;
  readonly user: string;
  readonly client: string;
  /** For example `ALTER TABLE`. Undefined: the account may not see the statement, or it is of no known kind. */
  readonly statement: string | undefined;
  /** The table that it waits for, or holds. Undefined: it cannot be named in this database. */
  readonly table: string | undefined;
};

export type LockWaits = {
  /** Sessions that wait for a lock of the tool. */
  readonly behindTool: readonly ServerSession[];
  /** Sessions that hold a lock for which the tool waits. */
  readonly beforeTool: readonly ServerSession[];
};

/**
 * The sessions that wait for the tool, or for which the tool waits. Every account sees who waits for whom, and only a member
 * of pg_read_all_stats sees the statements and addresses of others.
 */
export async function readLockWaits(session: Session, applicationName: string): Promise<LockWaits> {
  const rows = await session.query(waitsQuery, [applicationName]);
  const of = (role: string) => rows.filter((row) => row['role'] === role).map(asSession);
  return { behindTool: of('behind'), beforeTool: of('before') };
}

const waitsQuery = `
WITH tool AS (
  SELECT pid FROM pg_stat_activity WHERE application_name = $1 AND pid <> pg_backend_pid()
), waiting AS MATERIALIZED (
  SELECT DISTINCT ON (pid) pid, CASE WHEN database = (SELECT oid FROM pg_database WHERE datname = current_database()) THEN relation END AS relation
    FROM pg_locks WHERE NOT granted ORDER BY pid, relation
), pairs AS (
  SELECT 'behind' AS role, w.pid, w.relation FROM waiting w, tool t WHERE t.pid = ANY (pg_blocking_pids(w.pid))
  UNION ALL
  SELECT 'before', holder, w.relation FROM tool t JOIN waiting w ON w.pid = t.pid, unnest(pg_blocking_pids(t.pid)) AS holder
)
SELECT p.role, p.pid, a.usename AS username, a.client_addr AS client, left(a.query, 200) AS statement,
       (SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = p.relation) AS relation_name
  FROM pairs p LEFT JOIN pg_stat_activity a ON a.pid = p.pid`;

function asSession(row: Row): ServerSession {
  return {
    pid: Number(row['pid']),
    user: shortText(row['username']),
    client: shortText(row['client']),
    statement: kindOf(row['statement'] ?? ''),
    table: row['relation_name'] === null ? undefined : shortText(row['relation_name']),
  };
}

/** Only words of this list are shown, because a statement may hold values. */
function kindOf(statement: string): string | undefined {
  const found =
    /^\s*((?:ALTER|DROP|CREATE(?: UNIQUE)?) (?:TABLE|INDEX|VIEW|TRIGGER|SCHEMA|MATERIALIZED VIEW|SEQUENCE|TYPE|FUNCTION)|TRUNCATE|LOCK|VACUUM|REINDEX|CLUSTER|REFRESH MATERIALIZED VIEW|SELECT|INSERT|UPDATE|DELETE|MERGE|COPY|BEGIN|COMMIT|ROLLBACK)\b/i.exec(
      statement,
    );
  return found?.[1]?.toUpperCase();
}

/** For example "app from 10.1.2.3 (process 4711)". */
export function named({ user, client, pid }: ServerSession): string {
  return `${user === '' ? 'a session' : user}${client === '' ? '' : ` from ${client}`} (process ${pid})`;
}
