/** Needs of a target that the names of objects alone do not show. */
/** The rest is a JSON array: a role owns objects in a schema that belongs to another role. */
export const creatorNeed = 'creator ';
/** The rest is a provider of security labels. */
export const labelNeed = 'label ';
/** The rest is the number of locks that one statement of a restore holds at once. */
export const locksNeed = 'locks ';

const own = (catalog: string, alias: string) =>
  `NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = '${catalog}'::regclass AND e.objid = ${alias}.oid AND e.deptype = 'e')`;

/**
 * Rows of `kind` and `name`. The script of an extension may open its schema for all, so `creator` leaves such schemas out. A foreign key locks each partition with its indexes (measured: three locks for a partition with a
 * primary key), and every partition of a tree is locked by ANALYZE.
 */
export const targetNeedsQuery = `
SELECT DISTINCT 'creator' AS kind, json_build_array(pg_get_userbyid(o.owner), n.nspname, pg_get_userbyid(s.owner))::text AS name
  FROM (SELECT c.relowner AS owner, c.relnamespace AS namespace FROM pg_class c WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND ${own('pg_class', 'c')}
        UNION SELECT p.proowner, p.pronamespace FROM pg_proc p WHERE ${own('pg_proc', 'p')}
        UNION SELECT t.typowner, t.typnamespace FROM pg_type t WHERE t.typtype IN ('e', 'd', 'r') AND ${own('pg_type', 't')}) AS o
  JOIN pg_namespace n ON n.oid = o.namespace
 CROSS JOIN LATERAL (SELECT CASE WHEN pg_get_userbyid(n.nspowner) = 'pg_database_owner'
         THEN (SELECT datdba FROM pg_database WHERE datname = current_database()) ELSE n.nspowner END AS owner) AS s
 WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' AND o.owner <> s.owner AND ${own('pg_namespace', 'n')}
UNION ALL
SELECT DISTINCT 'label', provider FROM pg_seclabel
UNION ALL
SELECT 'locks', max(tree.partitions * CASE WHEN EXISTS (SELECT FROM pg_constraint k WHERE k.contype = 'f' AND tree.root IN (k.conrelid, k.confrelid)) THEN 3 ELSE 1 END)::text
  FROM (SELECT pg_partition_root(c.oid) AS root, count(*) AS partitions FROM pg_class c WHERE c.relispartition AND c.relkind IN ('r', 'p', 'f') GROUP BY 1) AS tree
HAVING max(tree.partitions) >= 100`;
