import { qualifiedName } from '../catalog/names.js';
import { shortText, type Row, type Session } from '../session/session.js';
import type { Hazard } from './hazard.js';
import { valueHazards } from './valueHazards.js';

/** What a restore of this database would lose or fail at, as warnings. Each names the objects. */
export async function findHazards(session: Session, database: string): Promise<readonly string[]> {
  const warnings: string[] = [];
  for (const { query, sentence, sinceMajor = 0 } of [...hazards, ...valueHazards]) {
    if (session.version.major < sinceMajor) continue;
    const names = (await session.query(query)).map(nameOf);
    if (names.length === 0) continue;
    const shown = names.slice(0, 20).join(', ');
    const more = names.length > 20 ? ` and ${names.length - 20} more` : '';
    warnings.push(`In the database '${database}': ${sentence(`${shown}${more}`)}`);
  }
  return warnings;
}

const userSchema = `n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'`;

/** Words of SQL and of PL/pgSQL are not searched for as names: a relation or a function of the database has to have the name. */
const reliesOnSearchPath = `
WITH users AS (
  SELECT d.refobjid AS oid FROM pg_depend d WHERE d.refclassid = 'pg_proc'::regclass AND d.classid = 'pg_attrdef'::regclass
     AND EXISTS (SELECT FROM pg_attrdef f JOIN pg_attribute a ON a.attrelid = f.adrelid AND a.attnum = f.adnum WHERE f.oid = d.objid AND a.attgenerated <> '')
  UNION SELECT d.refobjid FROM pg_depend d JOIN pg_constraint o ON o.oid = d.objid AND o.contype = 'c' WHERE d.refclassid = 'pg_proc'::regclass AND d.classid = 'pg_constraint'::regclass
  UNION SELECT d.refobjid FROM pg_depend d JOIN pg_index i ON i.indexrelid = d.objid WHERE d.refclassid = 'pg_proc'::regclass AND d.classid = 'pg_class'::regclass
  UNION SELECT d.refobjid FROM pg_depend d JOIN pg_rewrite u ON u.oid = d.objid JOIN pg_class c ON c.oid = u.ev_class AND c.relkind = 'm' WHERE d.refclassid = 'pg_proc'::regclass AND d.classid = 'pg_rewrite'::regclass
), names AS (
  SELECT c.relname AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE ${userSchema} AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
  UNION SELECT p.proname FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE ${userSchema}
  UNION SELECT t.typname FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace WHERE ${userSchema} AND t.typtype IN ('e', 'd')
)
SELECT n.nspname AS schema, p.proname AS name FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace JOIN pg_language l ON l.oid = p.prolang
 WHERE p.oid IN (SELECT oid FROM users) AND ${userSchema} AND l.lanname IN ('sql', 'plpgsql')
   AND NOT EXISTS (SELECT FROM unnest(p.proconfig) AS setting WHERE setting LIKE 'search_path=%')
   AND EXISTS (SELECT FROM names WHERE names.name <> p.proname AND names.name ~ '^\\w+$' AND p.prosrc ~* ('(^|[^\\w.])' || names.name || '([^\\w]|$)'))`;

const isSuperuser = `(SELECT rolsuper FROM pg_roles WHERE rolname = current_user)`;

/** The condition of the view pg_user_mappings for its column umoptions. Without it pg_dump sees no options. */
const readableMapping = `(${isSuperuser} OR (SELECT CASE WHEN m.umuser = 0 THEN pg_has_role(s.srvowner, 'USAGE')
  ELSE m.usename = current_user AND (pg_has_role(s.srvowner, 'USAGE') OR has_server_privilege(s.oid, 'USAGE')) END FROM pg_foreign_server s WHERE s.oid = m.srvid))`;

const hazards: readonly Hazard[] = [
  {
    query: reliesOnSearchPath,
    sentence: (names) =>
      `these functions are used in an index, a check, a generated column or a materialised view, and name objects without their schema: ${names}. A restore runs with an empty search_path, so it may fail at them. Run ALTER FUNCTION … SET search_path on the source.`,
  },
  {
    query: `SELECT n.nspname AS schema, c.relname AS name FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace
             WHERE NOT i.indisvalid AND c.relkind = 'i' AND ${userSchema}`,
    sentence: (names) =>
      `these indexes are invalid: ${names}. A restore builds them as valid indexes, and fails if the rows do not allow it. Run REINDEX or drop them on the source.`,
  },
  {
    query: `SELECT NULL AS schema, 'public' AS name WHERE NOT EXISTS (SELECT FROM pg_namespace WHERE nspname = 'public')`,
    sentence: () => 'the schema public was dropped. A restored database does not have it either.',
  },
  {
    query: `SELECT n.nspname AS schema, p.proname AS name FROM pg_depend d JOIN pg_proc p ON p.oid = d.objid JOIN pg_namespace n ON n.oid = p.pronamespace
              JOIN pg_extension x ON x.oid = d.refobjid AND d.refclassid = 'pg_extension'::regclass
             WHERE d.deptype = 'e' AND d.classid = 'pg_proc'::regclass AND x.oid >= 16384 AND age(p.xmin) < age(x.xmin)
               AND p.proacl IS NULL`,
    sentence: (names) =>
      `these members of extensions were changed after the extension was installed: ${names}. A dump holds only the names of extensions, so a restore creates the members as the extension defines them.`,
  },
  {
    query: `SELECT NULL AS schema, m.usename || ' on ' || m.srvname AS name FROM pg_user_mappings m WHERE NOT ${readableMapping}`,
    sentence: (names) =>
      `the account may not read the options of these user mappings, so the backup contains them without options and passwords: ${names}. Use a superuser as the account, or set the options again after a restore (ALTER USER MAPPING).`,
  },
  {
    query: `SELECT NULL AS schema, m.usename || ' on ' || m.srvname AS name FROM pg_user_mappings m WHERE ${readableMapping}`,
    sentence: (names) =>
      `user mappings of foreign servers may contain passwords, and the backup contains them: ${names}. Protect the file endpoint accordingly.`,
  },
  {
    query: `SELECT NULL AS schema, s.subname AS name FROM pg_subscription s WHERE s.subdbid = (SELECT oid FROM pg_database WHERE datname = current_database()) AND ${isSuperuser}`,
    sentence: (names) =>
      `subscriptions are restored without a connection, and only by a superuser: ${names}. Enable them on the target by hand. Their connections may contain passwords, and the backup contains them.`,
  },
  {
    query: `SELECT NULL AS schema, s.subname AS name FROM pg_subscription s WHERE s.subdbid = (SELECT oid FROM pg_database WHERE datname = current_database()) AND NOT ${isSuperuser}`,
    sentence: (names) =>
      `these subscriptions are not in the backup, because only a superuser may read them: ${names}. Create them again after a restore.`,
  },
  {
    query: `SELECT n.nspname AS schema, c.relname AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
             WHERE pg_is_in_recovery() AND c.relpersistence = 'u' AND c.relkind = 'r' AND ${userSchema} ORDER BY 1, 2`,
    sentence: (names) =>
      `the server is a standby, which has no rows of unlogged tables, so the backup has none either: ${names}. Back up the primary, or run ALTER TABLE … SET LOGGED.`,
  },
  {
    query: `SELECT DISTINCT n.nspname AS schema, c.relname AS name FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace
             WHERE t.tgisinternal AND t.tgconstraint <> 0 AND t.tgenabled <> 'O' AND ${userSchema} ORDER BY 1, 2`,
    sentence: (names) =>
      `foreign keys of these tables are switched off (DISABLE TRIGGER ALL): ${names}. A restore switches them on, and fails if a row violates them.`,
  },
  {
    query: `SELECT n.nspname AS schema, o.name FROM (
              SELECT 'pg_class'::regclass AS catalog, oid, relnamespace AS namespace, relname AS name FROM pg_class WHERE relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
              UNION ALL SELECT 'pg_proc'::regclass, oid, pronamespace, proname FROM pg_proc
              UNION ALL SELECT 'pg_type'::regclass, oid, typnamespace, typname FROM pg_type WHERE typtype IN ('e', 'd', 'r')) AS o
              JOIN pg_namespace n ON n.oid = o.namespace
             WHERE o.oid >= 16384 AND n.nspname IN ('pg_catalog', 'information_schema')
               AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = o.catalog AND e.objid = o.oid AND e.deptype = 'e') ORDER BY 1, 2`,
    sentence: (names) =>
      `pg_dump leaves out these objects, because they are in a schema of the system: ${names}. Move them into another schema.`,
  },
];

function nameOf(row: Row): string {
  const [schema, name] = [row['schema'] ?? null, row['name'] ?? ''];
  return shortText(schema === null ? name : qualifiedName(schema, name));
}
