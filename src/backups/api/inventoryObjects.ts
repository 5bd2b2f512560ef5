import type { EntityManager } from 'typeorm';
import { badInput } from '../../errors.js';
import { pageOf, type Page, type PageRequest } from '../../server/page.js';
import { inventoryObjectsFrom, type ObjectPlace } from '../inventoryObjectsFrom.js';
import type { InventoryObjectType } from './inventoryObjectType.js';

/**
 * One page of the objects of an inventory, in the order in which the inventory names them: each database, then its tables,
 * then its other objects by kind. PostgreSQL cuts the page out of the inventory, so that this process never holds more
 * than the page. Null: no inventory was taken, or its form is unknown.
 */
export async function selectInventoryObjects(
  manager: EntityManager,
  backupJobId: string,
  request: PageRequest,
  database: string | null,
): Promise<Page<InventoryObjectType> | null> {
  if (!(await hasInventory(manager, backupJobId))) return null;
  const from = placeAfter(request, backupJobId);
  const rows = await inventoryObjectsFrom(manager, backupJobId, { from, size: request.size, database });
  return pageOf(request, rows, {
    placeOf: ({ place }) => ({ key: place.join('.'), id: backupJobId }),
    nodeOf: ({ place: _place, ...object }) => object,
    countAll: () => countObjects(manager, backupJobId, database),
  });
}

async function hasInventory(manager: EntityManager, id: string): Promise<boolean> {
  const rows = await manager.query<unknown[]>(
    "SELECT FROM backup_jobs WHERE id = $1 AND jsonb_typeof(inventory->'databases') = 'array'",
    [id],
  );
  return rows.length > 0;
}

async function countObjects(manager: EntityManager, id: string, database: string | null): Promise<number> {
  const [row] = await manager.query<{ count: number }[]>(
    `SELECT (
       SELECT count(*)
         + coalesce(sum(jsonb_array_length(jsonb_path_query_array(entry, '$.tables[*]'))), 0)
         + coalesce(sum(jsonb_array_length(jsonb_path_query_array(entry, '$.objects.*[*]'))), 0)
       FROM jsonb_array_elements(inventory->'databases') AS entry WHERE $2::text IS NULL OR entry->>'name' = $2
     )::int AS count
     FROM backup_jobs WHERE id = $1`,
    [id, database],
  );
  return row?.count ?? 0;
}

/** The first place of the page. Throws BAD_INPUT for a cursor of another list. */
function placeAfter({ after }: PageRequest, id: string): ObjectPlace {
  if (after === undefined) return [0, 0, 0];
  const [, database, kind, object] = /^(\d{1,8})\.(\d{1,4})\.(\d{1,8})$/.exec(after.key) ?? [];
  if (after.id !== id || database === undefined) {
    const hint = 'Send endCursor or the cursor of an edge of the inventory of the same backup.';
    throw badInput([{ path: 'after', problem: 'is not a cursor of this list', hint }]);
  }
  return [Number(database), Number(kind), Number(object) + 1];
}
