import type { Inventory } from '../../inventory.js';
import type { Session } from '../session/session.js';

export function hasEventTriggers({ databases }: Inventory, database: string): boolean {
  return databases.some(({ name, objects }) => name === database && (objects['eventTriggers'] ?? []).length > 0);
}

/**
 * The settings `name=value` with which no event trigger of the backup runs while pg_restore restores it. pg_restore fills
 * materialized views after it has created the event triggers (`PRIO_REFRESH_MATVIEW` of pg_dump's source), so a trigger could
 * refuse them, or write rows. `event_triggers` exists since version 17. In the role `replica` triggers run that are ENABLE
 * REPLICA or ENABLE ALWAYS, and foreign keys are still checked when they are created.
 */
export async function withoutEventTriggers(session: Session): Promise<readonly string[]> {
  const { major } = session.version;
  const setting = major >= 17 ? 'event_triggers' : 'session_replication_role';
  const isGranted = major >= 15 ? `has_parameter_privilege('${setting}', 'SET')` : 'false';
  const [row] = await session.query(
    `SELECT rolsuper OR ${isGranted} AS may FROM pg_roles WHERE rolname = current_user`,
  );
  if (row?.['may'] !== 't') return [];
  return [major >= 17 ? 'event_triggers=off' : 'session_replication_role=replica'];
}
