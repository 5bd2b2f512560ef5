import { escapeIdentifier } from 'pg';
import type { DataSource, EntityManager } from 'typeorm';
import type { AnyDecider } from '../eventSourcing/decider.js';
import type { Projection } from '../eventSourcing/projection.js';
import { advisoryLocks } from './advisoryLocks.js';
import { recordedEvent, type EventRow } from './eventRows.js';

const batch = 1_000;

/**
 * Computes the rows of a read model from the log in separate tables, and replaces the live rows in one transaction.
 * Readers never wait: they see the old rows until the commit. Commands that write this read model wait for the last
 * part. Returns the number of applied events. Only tests call it today.
 *
 * The new rows are written to temporary tables of the same names. PostgreSQL finds these first, so the projection needs
 * no change. The live tables are locked before the log, because the other order causes deadlocks with commands.
 */
export async function rebuildProjection(
  dataSource: DataSource,
  projection: Projection,
  deciders: readonly AnyDecider[],
): Promise<number> {
  const decidersByType = new Map(deciders.map((decider) => [decider.streamType, decider]));
  const tables = projection.tables.map((table) => escapeIdentifier(table));

  return dataSource.transaction('READ COMMITTED', async (manager) => {
    await manager.query(`SELECT pg_advisory_xact_lock(${advisoryLocks.rebuild})`);
    for (const table of tables) {
      await manager.query(`CREATE TEMPORARY TABLE ${table} (LIKE public.${table} INCLUDING ALL) ON COMMIT DROP`);
    }
    const state = { last: '0', applied: 0 };
    const applyNewEvents = () => replay(manager, projection, decidersByType, state);
    await applyNewEvents();
    await manager.query(`LOCK TABLE ${tables.map((table) => `public.${table}`).join(', ')} IN EXCLUSIVE MODE`);
    await manager.query(`SELECT pg_advisory_xact_lock(${advisoryLocks.append})`);
    await applyNewEvents();
    for (const table of tables) {
      await manager.query(`DELETE FROM public.${table}`);
      await manager.query(`INSERT INTO public.${table} SELECT * FROM pg_temp.${table}`);
    }
    return state.applied;
  });
}

async function replay(
  manager: EntityManager,
  projection: Projection,
  deciders: ReadonlyMap<string, AnyDecider>,
  state: { last: string; applied: number },
): Promise<void> {
  for (;;) {
    const rows = await manager.query<EventRow[]>(
      'SELECT * FROM events WHERE position > $1 AND stream_type = ANY($2::text[]) ORDER BY position LIMIT $3',
      [state.last, projection.streamTypes, batch],
    );
    for (const row of rows) {
      const { position: _position, recordedAt: _recordedAt, ...event } = recordedEvent(row, deciders);
      await projection.apply(event, manager);
      state.last = row.position;
      state.applied += 1;
    }
    if (rows.length < batch) return;
  }
}
