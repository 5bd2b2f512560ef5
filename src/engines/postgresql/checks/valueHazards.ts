import type { Hazard } from './hazard.js';

const userSchema = `n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'`;
const ownFunction = `f.oid >= 16384 AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = 'pg_proc'::regclass AND e.objid = f.oid AND e.deptype = 'e')`;
/** A table or a domain with a check. */
const checked = `pg_constraint o JOIN pg_namespace n ON n.oid = o.connamespace WHERE o.contype = 'c' AND ${userSchema}`;
const nameOfChecked = `quote_ident(o.conname) || ' of ' || coalesce(nullif(o.conrelid, 0)::regclass::text, o.contypid::regtype::text) AS name`;

/** Values that are computed or checked again when they are restored, so that they may change or be refused. */
export const valueHazards: readonly Hazard[] = [
  {
    query: `SELECT DISTINCT NULL AS schema, c.oid::regclass || '.' || quote_ident(a.attname) AS name
              FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
              JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
              JOIN pg_depend u ON u.classid = 'pg_attrdef'::regclass AND u.objid = d.oid AND u.refclassid = 'pg_proc'::regclass
              JOIN pg_proc f ON f.oid = u.refobjid
             WHERE a.attgenerated = 's' AND ${userSchema} AND ${ownFunction} ORDER BY 1, 2`,
    sentence: (names) =>
      `functions of its own compute these stored generated columns: ${names}. A dump has no values of such columns, so a restore computes them again, in the time zone UTC. A value that depends on settings, or on an older definition of the function, changes.`,
  },
  {
    query: `SELECT NULL AS schema, ${nameOfChecked} FROM ${checked} AND o.convalidated
               AND pg_get_constraintdef(o.oid) ~* '\\m(now\\(\\)|current_date|current_timestamp|current_time|localtime|localtimestamp|statement_timestamp\\(\\)|transaction_timestamp\\(\\)|clock_timestamp\\(\\))'
             ORDER BY 1, 2`,
    sentence: (names) =>
      `these checks depend on the time: ${names}. A restore fails if a row no longer satisfies them. Use a trigger instead, or make them NOT VALID.`,
  },
  {
    query: `WITH tables AS (
              SELECT c.relname AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE ${userSchema} AND c.relkind IN ('r', 'p', 'v', 'm', 'f') AND c.relname ~ '^\\w+$')
            SELECT NULL AS schema, ${nameOfChecked} FROM ${checked} AND EXISTS (
              SELECT FROM pg_depend u JOIN pg_proc f ON f.oid = u.refobjid JOIN pg_language l ON l.oid = f.prolang
               WHERE u.classid = 'pg_constraint'::regclass AND u.objid = o.oid AND u.refclassid = 'pg_proc'::regclass
                 AND l.lanname IN ('sql', 'plpgsql') AND ${ownFunction}
                 AND EXISTS (SELECT FROM tables t WHERE coalesce(nullif(f.prosrc, ''), pg_get_functiondef(f.oid)) ~* ('\\m(from|join)\\s+(only\\s+)?("?\\w+"?\\.)?"?' || t.name || '"?\\M')))
             ORDER BY 1, 2`,
    sentence: (names) =>
      `these checks call functions that read tables: ${names}. A restore checks rows before all tables have their rows, so it may fail. Use a foreign key or a trigger instead.`,
  },
  {
    query: `SELECT NULL AS schema, c.oid::regclass || '.' || quote_ident(a.attname) AS name
              FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
             WHERE c.relkind IN ('r', 'm') AND a.attnum > 0 AND NOT a.attisdropped AND ${userSchema}
               AND replace(a.atttypid::regtype::text, '[]', '') IN ('regclass', 'regproc', 'regprocedure', 'regoper', 'regoperator', 'regrole', 'regnamespace', 'regconfig', 'regdictionary', 'regcollation', 'regtype')
             ORDER BY 1, 2`,
    sentence: (names) =>
      `these columns refer to objects of the server by name: ${names}. A restore fails if such an object does not exist when the row is written, for example an index, or a role that the target lacks. Store the names as text.`,
  },
  {
    query: `SELECT NULL AS schema, l.provider AS name FROM pg_shseclabel l
             WHERE l.classoid = 'pg_database'::regclass AND l.objoid = (SELECT oid FROM pg_database WHERE datname = current_database()) ORDER BY 2`,
    sentence: (names) =>
      `the database itself has security labels, of these providers: ${names}. A restore does not set them. Run SECURITY LABEL … ON DATABASE after it.`,
  },
  {
    // A database has the version of its collation since version 15.
    query: `SELECT NULL AS schema, each.name FROM (
              SELECT 'the database: ' || d.datcollversion || ' instead of ' || pg_database_collation_actual_version(d.oid) AS name, d.datcollversion AS made, pg_database_collation_actual_version(d.oid) AS actual
                FROM pg_database d WHERE d.datname = current_database()
              UNION ALL
              SELECT o.oid::regcollation || ': ' || o.collversion || ' instead of ' || pg_collation_actual_version(o.oid), o.collversion, pg_collation_actual_version(o.oid)
                FROM pg_collation o JOIN pg_namespace n ON n.oid = o.collnamespace
               WHERE o.collversion IS NOT NULL AND (${userSchema} OR EXISTS (SELECT FROM pg_depend u WHERE u.refclassid = 'pg_collation'::regclass AND u.refobjid = o.oid))
            ) AS each WHERE each.made <> each.actual ORDER BY 2`,
    sinceMajor: 15,
    sentence: (names) =>
      `the library that sorts text has another version than when these collations were created: ${names}. Indexes may be in the wrong order, so that unique keys hold duplicates, at which a restore fails. Run REINDEX and ALTER DATABASE … REFRESH COLLATION VERSION on the source.`,
  },
];
