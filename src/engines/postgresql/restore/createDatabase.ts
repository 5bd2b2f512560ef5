import { StowageError } from '../../../errors.js';
import { grantsOf, settingsOf, type DatabaseGrant, type DatabaseSetting } from '../catalog/databases.js';
import { quoteName, quoteText } from '../catalog/names.js';
import { sqlStateOf } from '../errors/serverErrors.js';
import type { Session } from '../session/session.js';
import type { ArchivedSetting } from './archivedSettings.js';
import { unknownSettings } from './unknownSettings.js';

type Properties = Readonly<Record<string, string>>;

/**
 * Creates a database under `name` as it was, without its settings and privileges. Only its owner and this account can connect
 * to it: pg_restore revokes the privileges of PUBLIC on functions and types last, and a restore that fails never revokes
 * them. Throws TARGET_EXISTS if there is such a database, and TARGET_UNFIT.
 */
export async function createDatabase(session: Session, name: string, properties: Properties): Promise<void> {
  try {
    await session.query(createStatement(name, properties, session.version.major), [], { timeoutMs: 600_000 });
  } catch (error) {
    throw refusedCreation(name, error);
  }
  const database = quoteName(name);
  const statements = [
    `REVOKE ALL ON DATABASE ${database} FROM PUBLIC`,
    ...((await ownsIt(session, properties)) ? [] : [`GRANT CONNECT ON DATABASE ${database} TO CURRENT_USER`]),
    ...commentStatements(name, properties),
  ];
  for (const statement of statements) await session.query(statement);
}

async function ownsIt(session: Session, { owner }: Properties): Promise<boolean> {
  return (await session.query('SELECT current_user AS name'))[0]?.['name'] === owner;
}

/**
 * Sets what would disturb the restore itself, or open its database too early: privileges, settings of the database, its
 * connection limit, and that it is a template.
 */
export async function finishDatabase(
  session: Session,
  name: string,
  properties: Properties,
  archived: readonly ArchivedSetting[],
): Promise<void> {
  const settings = settingsOf(properties);
  const names = settings.map((setting) => setting.name);
  // The preflight of the restore has named them.
  const unknown = await unknownSettings(session, names);
  const statements = [
    ...((await ownsIt(session, properties)) ? [] : [`REVOKE ALL ON DATABASE ${quoteName(name)} FROM CURRENT_USER`]),
    ...grantStatements(name, properties),
    ...settings
      .filter((setting) => !unknown.includes(setting.name))
      .map((setting) => settingStatement(name, setting, archived)),
    ...(properties['connectionLimit'] === undefined || properties['connectionLimit'] === '-1'
      ? []
      : [`ALTER DATABASE ${quoteName(name)} CONNECTION LIMIT ${Number(properties['connectionLimit'])}`]),
    ...(properties['isTemplate'] === 'true' ? [`ALTER DATABASE ${quoteName(name)} IS_TEMPLATE true`] : []),
  ];
  for (const statement of statements) await session.query(statement);
}

/** Exported for tests. `major` is the version of the target. */
export function createStatement(name: string, properties: Properties, major: number): string {
  const option = (keyword: string, value: string | undefined) =>
    value === undefined ? [] : [`${keyword} = ${quoteText(value)}`];
  const { owner, encoding, collate, characterType, localeProvider = 'c', locale, icuRules, tablespace } = properties;
  const provider = { c: 'libc', i: 'icu', b: 'builtin', d: 'libc' }[localeProvider] ?? 'libc';
  const options = [
    'TEMPLATE = template0',
    ...(owner === undefined ? [] : [`OWNER = ${quoteName(owner)}`]),
    ...option('ENCODING', encoding),
    ...option('LC_COLLATE', collate),
    ...option('LC_CTYPE', characterType),
    ...(major < 15 ? [] : [`LOCALE_PROVIDER = ${provider}`]),
    ...(provider === 'icu' ? option('ICU_LOCALE', locale) : []),
    ...(provider === 'builtin' ? option('BUILTIN_LOCALE', locale) : []),
    ...(provider === 'icu' ? option('ICU_RULES', icuRules) : []),
    ...(tablespace === undefined ? [] : [`TABLESPACE = ${quoteName(tablespace)}`]),
  ];
  return `CREATE DATABASE ${quoteName(name)} WITH ${options.join(' ')}`;
}

function grantStatements(name: string, properties: Properties): readonly string[] {
  const database = quoteName(name);
  const owner = properties['owner'] ?? '';
  const grants = grantsOf(properties);
  const ownGrants = grants.filter(({ grantee }) => grantee === owner);
  return [
    ...(ownGrants.length === 3 ? [] : [`REVOKE ALL ON DATABASE ${database} FROM ${quoteName(owner)}`]),
    ...inOrder(
      grants.filter(({ grantee }) => grantee !== owner || ownGrants.length !== 3),
      owner,
    ).map((grant) =>
      // The server records the owner as the grantor, unless another role grants. One query is one transaction.
      grant.grantor === owner
        ? grantStatement(database, grant)
        : `SET ROLE ${quoteName(grant.grantor)}; ${grantStatement(database, grant)}; RESET ROLE`,
    ),
  ];
}

/** A role can grant a privilege only after it got it. */
function inOrder(grants: readonly DatabaseGrant[], owner: string): readonly DatabaseGrant[] {
  const ordered = grants.filter(({ grantor }) => grantor === owner);
  let left = grants.filter(({ grantor }) => grantor !== owner);
  for (let before = -1; left.length !== before;) {
    before = left.length;
    const able = left.filter(({ grantor, privilege }) =>
      ordered.some((each) => each.grantable && each.grantee === grantor && each.privilege === privilege),
    );
    ordered.push(...able);
    left = left.filter((each) => !able.includes(each));
  }
  return [...ordered, ...left];
}

function grantStatement(database: string, { grantee, privilege, grantable }: DatabaseGrant): string {
  const to = grantee === null ? 'PUBLIC' : quoteName(grantee);
  if (!/^[A-Z ]+$/.test(privilege)) throw new StowageError('TOOL_FAILED', 'The backup names an unknown privilege.');
  return `GRANT ${privilege} ON DATABASE ${database} TO ${to}${grantable ? ' WITH GRANT OPTION' : ''}`;
}

function commentStatements(name: string, { comment }: Properties): readonly string[] {
  return comment === undefined ? [] : [`COMMENT ON DATABASE ${quoteName(name)} IS ${quoteText(comment)}`];
}

/** The server stores the elements of these settings in quotation marks where they need them (GUC_LIST_QUOTE). */
const lists = new Set([
  'search_path',
  'temp_tablespaces',
  'local_preload_libraries',
  'session_preload_libraries',
  'shared_preload_libraries',
]);

function settingStatement(database: string, setting: DatabaseSetting, archived: readonly ArchivedSetting[]): string {
  const { role, name } = setting;
  const subject =
    role === null ? `DATABASE ${quoteName(database)}` : `ROLE ${quoteName(role)} IN DATABASE ${quoteName(database)}`;
  const shown = 'value' in setting ? literalOf(name, setting.value) : archivedLiteral(setting, archived);
  const parameter = name.split('.').map(quoteName).join('.');
  return `ALTER ${subject} SET ${parameter} TO ${shown === '' ? "''" : shown}`;
}

function literalOf(name: string, value: string): string {
  return lists.has(name.toLowerCase()) ? elementsOf(value).map(quoteText).join(', ') : quoteText(value);
}

/** The inventory does not have the value of a setting that may be a secret, and the archive has it. */
function archivedLiteral(
  { role, name }: Pick<DatabaseSetting, 'role' | 'name'>,
  archived: readonly ArchivedSetting[],
): string {
  const found = archived.find((each) => each.role === role && each.name === name);
  if (found !== undefined) return found.value;
  throw new StowageError('TOOL_FAILED', `The archive does not have the setting '${name}' of the database.`);
}

/** The elements of a list in a setting: `"$user", public` has the elements `$user` and `public`. */
export function elementsOf(list: string): readonly string[] {
  return [...list.matchAll(/"((?:[^"]|"")*)"|([^\s,"]+)/g)].map(([, quoted, plain = '']) =>
    quoted === undefined ? plain : quoted.replaceAll('""', '"'),
  );
}

function refusedCreation(name: string, error: unknown): unknown {
  const state = sqlStateOf(error);
  if (state === '42P04') {
    return new StowageError('TARGET_EXISTS', `The database '${name}' exists on the target.`, { cause: error });
  }
  // 22023, 42809: a locale or an encoding that the target does not have. 42704: no such tablespace.
  if (state === undefined || !['22023', '42809', '42704', '0A000'].includes(state)) return error;
  const reason = error instanceof StowageError ? error.message : '';
  return new StowageError('TARGET_UNFIT', `The target cannot create the database '${name}' as it was: ${reason}`, {
    help: 'Install the locale on the machine of the target (locale-gen), create the tablespace, or restore into another server.',
    cause: error,
  });
}
