import type { Dialect } from '../mysqlFamily/dialect.js';

/**
 * MySQL numbers no statements. The second in which a statement began distinguishes the statements of a session well
 * enough for a wait of seconds. A statement may be as long as a packet, and its beginning is enough to recognise it.
 */
const sessions = `SELECT id AS id, user AS user, host AS host, db AS db, command AS command, COALESCE(state, '') AS state, LEFT(info, 4000) AS statement,
   UNIX_TIMESTAMP() - time AS query_id
  FROM information_schema.processlist
  WHERE id <> CONNECTION_ID() AND (id = ? OR state LIKE 'Waiting for%' OR ?)`;

/** The instrument is on unless an administrator switches it off. */
const pending = `SELECT t.processlist_id AS id, m.object_type AS kind, m.lock_type AS mode, m.object_schema AS db,
   m.object_name AS name, m.lock_status = 'PENDING' AS pending
  FROM performance_schema.metadata_locks m JOIN performance_schema.threads t ON t.thread_id = m.owner_thread_id
  JOIN performance_schema.setup_instruments i ON i.name = 'wait/lock/metadata/sql/mdl' AND i.enabled = 'YES'`;

export const mysqlLocks: Dialect['locks'] = {
  sessions,
  granted: null,
  pending,
  advice: 'GRANT SELECT ON performance_schema.* to the user of the backup lets Stowage name it.',
};
