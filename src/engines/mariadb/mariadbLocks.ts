import type { Dialect } from '../mysqlFamily/dialect.js';

/** A statement may be as long as a packet. Its beginning is enough to recognise the statement. */
const sessionsOf = `SELECT id, user, host, db, command, COALESCE(state, '') AS state, LEFT(info, 4000) AS statement, query_id
   FROM information_schema.processlist
  WHERE id <> CONNECTION_ID() AND (id = ? OR state LIKE 'Waiting for%' OR ?)`;

/** MariaDB's plugin METADATA_LOCK_INFO shows the locks that are held. */
const grantedLocks = `SELECT thread_id AS id, lock_type AS kind, lock_mode AS mode, table_schema AS db, table_name AS name,
   0 AS pending FROM information_schema.metadata_lock_info`;

/** In MariaDB 10.5 and newer, with the instrument `wait/lock/metadata/sql/mdl`. */
const pendingLocks = `SELECT t.processlist_id AS id, m.object_type AS kind, m.lock_type AS mode, m.object_schema AS db,
   m.object_name AS name, m.lock_status = 'PENDING' AS pending
  FROM performance_schema.metadata_locks m JOIN performance_schema.threads t ON t.thread_id = m.owner_thread_id
  JOIN performance_schema.setup_instruments i ON i.name = 'wait/lock/metadata/sql/mdl' AND i.enabled = 'YES'`;

export const mariadbLocks: Dialect['locks'] = {
  sessions: sessionsOf,
  granted: grantedLocks,
  pending: pendingLocks,
  advice: "INSTALL SONAME 'metadata_lock_info' on the server lets Stowage name it.",
};
