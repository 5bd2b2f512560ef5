import { createHash } from 'node:crypto';
import { StowageError } from '../../../errors.js';
import type { Row, Session } from '../session/session.js';
import { isListOf, isRecordOfTexts, isTexts, serverJson } from './serverJson.js';

/** A database of a server, with everything that `CREATE DATABASE` and its companions need to create it again. */
export type ListedDatabase = {
  readonly name: string;
  readonly properties: Readonly<Record<string, string>>;
  /** Roles that own it, have a privilege on it, or have settings in it. */
  readonly roles: readonly string[];
};

/** A privilege on a database. `grantee` null is PUBLIC. */
export type DatabaseGrant = {
  readonly grantor: string;
  readonly grantee: string | null;
  readonly privilege: string;
  readonly grantable: boolean;
};

/**
 * A setting of a database. `role` null: for all roles. A setting of an application may hold a secret, so it has a digest
 * instead of its value.
 */
export type DatabaseSetting = { readonly role: string | null; readonly name: string } & (
  { readonly value: string } | { readonly digest: string }
);

/** The database of the server itself, which every server has. It is backed up only if a service names it. */
export const serversOwn = 'postgres';

/**
 * The databases of the service, in the order of their names. Throws EMPTY_DUMP if a named one does not exist, or if there
 * is none.
 */
export async function selectDatabases(
  session: Session,
  chosen: readonly string[] | null,
): Promise<readonly ListedDatabase[]> {
  const all = await listDatabases(session, chosen);
  if (chosen === null) {
    const own = all.filter(({ name, properties }) => name !== serversOwn && properties['isTemplate'] !== 'true');
    if (own.length > 0) return own;
    throw new StowageError('EMPTY_DUMP', 'The server has no database besides those of the system.', {
      help: `Create a database first. If the data is in the database '${serversOwn}', name it in the databases of the service.`,
    });
  }
  const missing = chosen.filter((name) => !all.some((each) => each.name === name));
  if (missing.length === 0) return all;
  throw new StowageError(
    'EMPTY_DUMP',
    `The server has no database ${missing.map((name) => `'${name}'`).join(', ')} that accepts connections.`,
    {
      help: 'Correct the databases of the service. Upper and lower case letters are different in names.',
      details: { databases: missing },
    },
  );
}

/** The databases that exist, without checks. `chosen` null: all that accept connections. */
export async function listDatabases(
  session: Session,
  chosen: readonly string[] | null,
): Promise<readonly ListedDatabase[]> {
  const rows = await session.query(databasesQuery, [chosen]);
  return rows.map(readDatabase);
}

/** Throws SERVICE_UNREACHABLE for a row of an unexpected form. */
export function readDatabase(row: Row): ListedDatabase {
  const properties = serverJson(row['properties'], isRecordOfTexts);
  serverJson(properties['grants'] ?? '[]', isListOf(['grantor', 'grantee', 'privilege']));
  serverJson(properties['settings'] ?? '[]', isListOf(['role', 'name', 'value']));
  const known: Readonly<Record<string, string | null>> = {
    ...properties,
    settings: withoutSecrets(properties['settings'] ?? '[]'),
  };
  return {
    name: row['name'] ?? '',
    properties: Object.fromEntries(
      Object.entries(known).filter((entry): entry is [string, string] => entry[1] !== null),
    ),
    roles: serverJson(row['roles'] ?? '[]', isTexts),
  };
}

export function grantsOf(properties: Readonly<Record<string, string>>): readonly DatabaseGrant[] {
  return JSON.parse(properties['grants'] ?? '[]') as readonly DatabaseGrant[];
}

export function settingsOf(properties: Readonly<Record<string, string>>): readonly DatabaseSetting[] {
  return JSON.parse(properties['settings'] ?? '[]') as readonly DatabaseSetting[];
}

/**
 * Settings with a dot belong to applications and extensions. The server knows all others, and none of them is a secret that
 * a database or a role may set. Also accepts settings of older backups, which have all values.
 */
export function withoutSecrets(settings: string): string {
  const all = JSON.parse(settings) as readonly DatabaseSetting[];
  return JSON.stringify(
    all.map((setting) =>
      'value' in setting && setting.name.includes('.')
        ? { role: setting.role, name: setting.name, digest: shortDigest(setting.value) }
        : setting,
    ),
  );
}

/** It shows that two values differ, and is too short to confirm a guess of a secret. */
function shortDigest(value: string): string {
  return createHash('sha256').update(value).digest('hex').slice(0, 4);
}

/** Columns that only some versions have are read through `to_jsonb`: locale providers (15), ICU rules (16), datlocale (17). */
const databasesQuery = `
WITH grants AS (
  SELECT d.oid, grantor.rolname AS grantor, grantee.rolname AS grantee, acl.privilege_type, acl.is_grantable
    FROM pg_database d
   CROSS JOIN LATERAL aclexplode(coalesce(d.datacl, acldefault('d', d.datdba))) AS acl
    JOIN pg_roles grantor ON grantor.oid = acl.grantor
    LEFT JOIN pg_roles grantee ON grantee.oid = acl.grantee
   WHERE acl.grantee = 0 OR grantee.oid IS NOT NULL
), settings AS (
  SELECT s.setdatabase AS oid, r.rolname AS role, split_part(each.text, '=', 1) AS name,
         substr(each.text, strpos(each.text, '=') + 1) AS value, each.place
    FROM pg_db_role_setting s
   CROSS JOIN LATERAL unnest(s.setconfig) WITH ORDINALITY AS each(text, place)
    LEFT JOIN pg_roles r ON r.oid = s.setrole
   WHERE s.setdatabase <> 0
)
SELECT d.datname AS name,
       json_build_object(
         'owner', owner.rolname,
         'encoding', pg_encoding_to_char(d.encoding),
         'collate', d.datcollate,
         'characterType', d.datctype,
         'localeProvider', coalesce(j.d->>'datlocprovider', 'c'),
         'locale', coalesce(j.d->>'datlocale', j.d->>'daticulocale'),
         'icuRules', j.d->>'daticurules',
         'collationVersion', j.d->>'datcollversion',
         'connectionLimit', d.datconnlimit::text,
         'isTemplate', d.datistemplate::text,
         'tablespace', CASE WHEN t.spcname <> 'pg_default' THEN t.spcname END,
         'comment', shobj_description(d.oid, 'pg_database'),
         'grants', coalesce((SELECT json_agg(json_build_object('grantor', grantor, 'grantee', grantee,
                               'privilege', privilege_type, 'grantable', is_grantable)
                             ORDER BY grantor COLLATE "C", grantee COLLATE "C", privilege_type)::text
                             FROM grants g WHERE g.oid = d.oid), '[]'),
         'settings', coalesce((SELECT json_agg(json_build_object('role', role, 'name', name, 'value', value)
                             ORDER BY role COLLATE "C", place)::text
                             FROM settings s WHERE s.oid = d.oid), '[]')
       )::text AS properties,
       (SELECT json_agg(DISTINCT named.role) FROM (
          SELECT owner.rolname AS role
          UNION SELECT grantor FROM grants g WHERE g.oid = d.oid
          UNION SELECT grantee FROM grants g WHERE g.oid = d.oid AND grantee IS NOT NULL
          UNION SELECT s.role FROM settings s WHERE s.oid = d.oid AND s.role IS NOT NULL
        ) AS named)::text AS roles
  FROM pg_database d
 CROSS JOIN LATERAL (SELECT to_jsonb(d) AS d) AS j
  JOIN pg_roles owner ON owner.oid = d.datdba
  LEFT JOIN pg_tablespace t ON t.oid = d.dattablespace
 WHERE d.datallowconn AND d.datconnlimit <> -2 AND ($1::text[] IS NULL OR d.datname = ANY ($1::text[]))
   AND d.datname NOT IN ('template0', 'template1')
 ORDER BY d.datname COLLATE "C"`;
