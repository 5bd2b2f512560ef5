import type { EntityManager } from 'typeorm';

/** A database, a table, or another object of an inventory. */
export type InventoryObject = {
  readonly database: string;
  /** `database`, `tables`, or a kind of other objects, for example `views`. */
  readonly kind: string;
  readonly name: string;
  readonly rows: number | null;
  readonly rowsEstimated: boolean;
  /** Bytes, as the server estimates them. */
  readonly size: number | null;
  readonly type: string | null;
  readonly engine: string | null;
  readonly collation: string | null;
  readonly definitionHash: string | null;
};

/** The index of the database, of the kind of objects in it, and of the object. */
export type ObjectPlace = readonly [number, number, number];
export type PlacedObject = InventoryObject & { readonly place: readonly number[] };

/**
 * At most `size + 1` objects. Every database is an object too. So no more than that many databases have to be read, unless
 * only one database is asked for.
 */
export async function inventoryObjectsFrom(
  manager: EntityManager,
  backupJobId: string,
  page: {
    /** The place of the first object. */
    readonly from: ObjectPlace;
    readonly size: number;
    /** Null: all databases. */
    readonly database: string | null;
  },
): Promise<readonly PlacedObject[]> {
  const [fromDatabase, fromKind, fromObject] = page.from;
  return manager.query<PlacedObject[]>(
    `SELECT ARRAY[databases.place, kinds.place, objects.place] AS place, databases.name AS database, kinds.kind,
       coalesce(object->>'name', object#>>'{}') AS name, (object->>'rows')::float8 AS rows,
       coalesce((object->>'rowsEstimated')::boolean, false) AS "rowsEstimated", (object->>'sizeBytes')::float8 AS size,
       object->>'type' AS type, object->>'engine' AS engine, object->>'collation' AS collation,
       CASE jsonb_typeof(object)
         WHEN 'string' THEN definitions->(object#>>'{}')->>'hash' ELSE object#>>'{definition,hash}'
       END AS "definitionHash"
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
       SELECT 0 AS place, 'database' AS kind, jsonb_build_array(databases.name) AS list, NULL::jsonb AS definitions
       UNION ALL SELECT 1, 'tables', entry->'tables', NULL
       UNION ALL SELECT 1 + (row_number() OVER (ORDER BY key))::int, key, value, entry->'definitions'->key
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
    [backupJobId, fromDatabase, fromKind, fromObject, page.size, page.database],
  );
}
