import type { EntityManager } from 'typeorm';
import { badInput } from '../../errors.js';
import { pageOf, type Page, type PageRequest } from '../../server/page.js';
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
  const rows = await objectsAfter(manager, backupJobId, request, database);
  return pageOf(request, rows, {
    placeOf: ({ place }) => ({ key: place.join('.'), id: backupJobId }),
    nodeOf: ({ place: _place, ...object }) => object,
    countAll: () => countObjects(manager, backupJobId, database),
  });
}

/** The index of the database, of the kind of objects in it, and of the object. */
type ObjectPlace = readonly [number, number, number];
type PlacedObject = InventoryObjectType & { readonly place: readonly number[] };

async function hasInventory(manager: EntityManager, id: string): Promise<boolean> {
  const rows = await manager.query<unknown[]>(
    "SELECT FROM backup_jobs WHERE id = $1 AND jsonb_typeof(inventory->'databases') = 'array'",
    [id],
  );
  return rows.length > 0;
}

/**
 * At most `size + 1` objects. Every database is an object too. So no more than that many databases have to be read, unless
 * only one database is asked for.
 */
async function objectsAfter(
  manager: EntityManager,
  id: string,
  request: PageRequest,
  database: string | null,
): Promise<readonly PlacedObject[]> {
  const [fromDatabase, fromKind, fromObject] = placeAfter(request, id);
  return manager.query<PlacedObject[]>(
    `SELECT ARRAY[databases.place, kinds.place, objects.place] AS place, databases.name AS database, kinds.kind,
       coalesce(object->>'name', object#>>'{}') AS name, (object->>'rows')::float8 AS rows,
       coalesce((object->>'rowsEstimated')::boolean, false) AS "rowsEstimated", (object->>'sizeBytes')::float8 AS size,
       object->>'type' AS type, object->>'engine' AS engine, object->>'collation' AS collation,
       object#>>'{definition,hash}' AS "definitionHash"
     FROM (SELECT inventory->'databases' AS list FROM backup_jobs WHERE id = $1 OFFSET 0) AS read
     CROSS JOIN LATERAL (
       SELECT place, list->place AS entry, list->place->>'name' AS name
       FROM generate_series(
         $2::int,
         CASE WHEN $6::text IS NULL THEN least($2 + $5, jsonb_array_length(list) - 1) ELSE jsonb_array_length(list) - 1 END
       ) AS place
       WHERE $6 IS NULL OR list->place->>'name' = $6
     ) AS databases
     CROSS JOIN LATERAL (
       SELECT 0 AS place, 'database' AS kind, jsonb_build_array(databases.name) AS list
       UNION ALL SELECT 1, 'tables', entry->'tables'
       UNION ALL SELECT 1 + (row_number() OVER (ORDER BY key))::int, key, value
         FROM jsonb_each(CASE jsonb_typeof(entry->'objects') WHEN 'object' THEN entry->'objects' END)
     ) AS kinds
     CROSS JOIN LATERAL (
       SELECT found.object, (first + ordinality - 1)::int AS place
       FROM (SELECT CASE WHEN (databases.place, kinds.place) = ($2, $3) THEN $4::int ELSE 0 END AS first) AS start
       CROSS JOIN LATERAL jsonb_array_elements(
         jsonb_path_query_array(kinds.list, '$[$first to $last]', jsonb_build_object('first', first, 'last', first + $5), true)
       ) WITH ORDINALITY AS found (object, ordinality)
     ) AS objects
     WHERE (databases.place, kinds.place) >= ($2, $3::int)
     ORDER BY databases.place, kinds.place, objects.place
     LIMIT $5 + 1`,
    [id, fromDatabase, fromKind, fromObject, request.size, database],
  );
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
