import type { EntityManager } from 'typeorm';
import type { Reservations } from '../eventSourcing/reservations.js';
import { StowageError } from '../errors.js';
import { foreignKeyViolation, sqlRefusal } from './sqlErrors.js';

export function createReservations(manager: EntityManager): Reservations {
  return {
    async claimName(kind, scope, name, ownerId) {
      // Waits for another transaction that claims the same name.
      const claimed = await manager.query<unknown[]>(
        `INSERT INTO reserved_names (kind, scope, name, owner_id) VALUES ($1, $2, $3, $4)
         ON CONFLICT DO NOTHING RETURNING owner_id`,
        [kind, scope, name, ownerId],
      );
      if (claimed.length > 0) return;
      const own = await manager.query<unknown[]>(
        'SELECT FROM reserved_names WHERE kind = $1 AND scope = $2 AND name = $3 AND owner_id = $4',
        [kind, scope, name, ownerId],
      );
      if (own.length > 0) return;
      throw new StowageError('CONFLICT', `Another ${kind} already has the name '${name}'.`, {
        details: { kind, name },
        help: 'Choose another name.',
      });
    },

    async releaseNames(kind, ownerId) {
      await manager.query('DELETE FROM reserved_names WHERE kind = $1 AND owner_id = $2', [kind, ownerId]);
    },

    async register(id, kind, projectId) {
      await manager.query('INSERT INTO entities (id, kind, project_id) VALUES ($1, $2, $3)', [id, kind, projectId]);
    },

    use: (entityId, userId) => useAll(manager, [entityId], userId),

    useAll: (entityIds, userId) => useAll(manager, entityIds, userId),

    async release(entityId, userId) {
      await manager.query('DELETE FROM entity_uses WHERE entity_id = $1 AND user_id = $2', [entityId, userId]);
    },

    async lock(id) {
      // The check of a foreign key takes FOR KEY SHARE on the row, so it waits for this lock.
      await manager.query('SELECT FROM entities WHERE id = $1 FOR UPDATE', [id]);
    },

    async unregister(id, inUse) {
      try {
        await manager.query('DELETE FROM entities WHERE id = $1', [id]);
      } catch (error) {
        if (sqlRefusal(error)?.sqlState !== foreignKeyViolation) throw error;
        throw inUse();
      }
    },
  };
}

async function useAll(manager: EntityManager, entityIds: readonly string[], userId: string): Promise<void> {
  try {
    await manager.query(
      'INSERT INTO entity_uses (entity_id, user_id) SELECT unnest($1::text[]), $2 ON CONFLICT DO NOTHING',
      [entityIds, userId],
    );
  } catch (error) {
    if (sqlRefusal(error)?.sqlState !== foreignKeyViolation) throw error;
    const named = entityIds.map((id) => `'${id}'`).join(' or ');
    throw new StowageError('NOT_FOUND', `${named} does not exist, or has just been removed.`);
  }
}
