/** A need whose name is an object that only a superuser may create. */
export const superuserNeed = 'superuser ';

const own = (catalog: string, alias: string) =>
  `${alias}.oid >= 16384 AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = '${catalog}'::regclass AND e.objid = ${alias}.oid AND e.deptype = 'e')`;
const named = (schema: string, name: string) => `${schema}::regnamespace || '.' || quote_ident(${name})`;

/**
 * Rows of `kind` and `name`. The objects of extensions are left out, because a target's extension decides who may create it.
 * A subscription is in the archive only if a superuser dumps it.
 */
export const superuserNeedsQuery = [
  `SELECT 'event trigger ' || quote_ident(o.evtname) FROM pg_event_trigger o WHERE ${own('pg_event_trigger', 'o')}`,
  `SELECT 'foreign data wrapper ' || quote_ident(o.fdwname) FROM pg_foreign_data_wrapper o WHERE ${own('pg_foreign_data_wrapper', 'o')}`,
  `SELECT 'function ' || ${named('o.pronamespace', 'o.proname')} FROM pg_proc o JOIN pg_language l ON l.oid = o.prolang
    WHERE o.prokind <> 'a' AND (NOT l.lanpltrusted OR o.proleakproof)
      AND NOT EXISTS (SELECT FROM pg_depend i WHERE i.classid = 'pg_proc'::regclass AND i.objid = o.oid AND i.deptype = 'i') AND o.pronamespace::regnamespace::text NOT IN ('pg_catalog', 'information_schema')
      AND ${own('pg_proc', 'o')}`,
  `SELECT 'operator class ' || ${named('o.opcnamespace', 'o.opcname')} FROM pg_opclass o WHERE ${own('pg_opclass', 'o')}`,
  `SELECT 'operator family ' || ${named('o.opfnamespace', 'o.opfname')} FROM pg_opfamily o WHERE ${own('pg_opfamily', 'o')}`,
  `SELECT 'type ' || ${named('o.typnamespace', 'o.typname')} FROM pg_type o
    WHERE o.typtype = 'b' AND o.typelem = 0 AND ${own('pg_type', 'o')}`,
  `SELECT 'cast of ' || o.castsource::regtype FROM pg_cast o WHERE o.castmethod = 'b' AND ${own('pg_cast', 'o')}`,
  `SELECT 'publication ' || quote_ident(o.pubname) || ' of all tables' FROM pg_publication o WHERE o.puballtables AND ${own('pg_publication', 'o')}`,
  `SELECT 'subscription ' || quote_ident(s.subname) FROM pg_subscription s
    WHERE s.subdbid = (SELECT oid FROM pg_database WHERE datname = current_database())
      AND (SELECT rolsuper FROM pg_roles WHERE rolname = current_user)`,
  // pg_restore needs SET SESSION AUTHORIZATION for privileges that another role than the owner granted.
  `SELECT DISTINCT 'privileges that ' || quote_ident(pg_get_userbyid(a.grantor)) || ' granted on ' || each.name FROM (
     SELECT o.oid::regclass::text AS name, o.relowner AS owner, o.relacl AS acl FROM pg_class o WHERE o.relpersistence <> 't' AND ${own('pg_class', 'o')}
     UNION ALL SELECT o.oid::regclass::text, o.relowner, c.attacl FROM pg_class o JOIN pg_attribute c ON c.attrelid = o.oid WHERE o.relpersistence <> 't' AND NOT c.attisdropped AND ${own('pg_class', 'o')}
     UNION ALL SELECT o.oid::regprocedure::text, o.proowner, o.proacl FROM pg_proc o WHERE ${own('pg_proc', 'o')}
     UNION ALL SELECT 'schema ' || quote_ident(o.nspname), o.nspowner, o.nspacl FROM pg_namespace o WHERE ${own('pg_namespace', 'o')}
     UNION ALL SELECT o.oid::regtype::text, o.typowner, o.typacl FROM pg_type o WHERE ${own('pg_type', 'o')}
     UNION ALL SELECT 'server ' || quote_ident(o.srvname), o.srvowner, o.srvacl FROM pg_foreign_server o WHERE ${own('pg_foreign_server', 'o')}
     UNION ALL SELECT 'a large object', o.lomowner, o.lomacl FROM pg_largeobject_metadata o
   ) AS each CROSS JOIN LATERAL aclexplode(each.acl) a WHERE a.grantor <> each.owner`,
]
  .map((query) => `SELECT 'superuser' AS kind, * FROM (${query}) AS each(name)`)
  .join('\nUNION ALL\n');
