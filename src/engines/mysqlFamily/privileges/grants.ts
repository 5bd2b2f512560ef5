/** The privileges of a user according to `SHOW GRANTS`: global ones, those on databases, and those on mysql.proc. */
export type Grants = {
  /**
   * Whether the privilege is granted globally or on the whole database. Grants on single tables do not count, because other tables may be
   * hidden.
   */
  holds(privilege: string, database: string): boolean;
  holdsGlobally(privilege: string): boolean;
  /** Whether the privilege is granted on a table of a database: on the table alone, on the database or globally. */
  holdsOnTable(privilege: string, database: string, table: string): boolean;
  /** The user may create and fill databases: all databases, or those that match a grant. */
  readonly makesDatabases: boolean;
};

type Grant = {
  readonly privileges: ReadonlySet<string>;
  /** `*` or a database name with the wildcards of GRANT. */
  readonly database: string;
  readonly table: string;
};

/** Parses the lines of MariaDB and MySQL. The server must have expanded the roles. It does this for active roles. */
export function parseGrants(lines: readonly string[]): Grants {
  const grants = lines.map((line) => parseGrant(grantLine, line)).filter((grant) => grant !== undefined);
  // A partial revoke of MySQL takes a global privilege back for one database.
  const revoked = lines.map((line) => parseGrant(revokeLine, line)).filter((grant) => grant !== undefined);
  const global = grants.filter((grant) => grant.database === '*');
  const databases = grants.filter((grant) => grant.database !== '*' && grant.table === '*');
  const holdsGlobally = (privilege: string) => global.some((grant) => includes(grant, privilege));
  const holds = (privilege: string, database: string) =>
    (holdsGlobally(privilege) && !revoked.some((grant) => grant.database === database && includes(grant, privilege))) ||
    databases.some((grant) => includes(grant, privilege) && fitsDatabase(grant.database, database));
  const holdsOnTable = (privilege: string, database: string, table: string) =>
    holds(privilege, database) ||
    grants.some((grant) => grant.database === database && grant.table === table && includes(grant, privilege));
  const makesDatabases = [...global, ...databases].some(
    (grant) => includes(grant, 'CREATE') && includes(grant, 'INSERT'),
  );
  return { holds, holdsGlobally, holdsOnTable, makesDatabases };
}

const name = '(?:`((?:[^`]|``)*)`|([^ `.]+))';
const place = `(?:(?:TABLE )?(\\*|${name})\\.(\\*|${name}))`;
const grantLine = new RegExp(`^GRANT (.+?) ON ${place} TO `, 'i');
const revokeLine = new RegExp(`^REVOKE (.+?) ON ${place} FROM `, 'i');

function parseGrant(pattern: RegExp, line: string): Grant | undefined {
  const found = pattern.exec(line);
  if (found === null) return undefined;
  const [, privileges = '', database = '', quotedDatabase, , table = '', quotedTable] = found;
  return {
    privileges: new Set(privileges.split(/,\s*(?![^(]*\))/).map((privilege) => privilege.trim().toUpperCase())),
    database: quotedDatabase === undefined ? database : quotedDatabase.replaceAll('``', '`'),
    table: quotedTable === undefined ? table : quotedTable.replaceAll('``', '`'),
  };
}

function includes(grant: Grant, privilege: string): boolean {
  return grant.privileges.has(privilege) || grant.privileges.has('ALL PRIVILEGES') || grant.privileges.has('ALL');
}

/** In the database of a GRANT `_` and `%` are wildcards unless a backslash precedes them (MariaDB manual, "GRANT"). */
export function fitsDatabase(pattern: string, database: string): boolean {
  const expression = pattern.replace(/\\([_%\\])|[_%]|[.*+?^${}()|[\]\\]/g, (match, escaped: string | undefined) => {
    if (escaped !== undefined) return escaped === '\\' ? '\\\\' : escaped;
    if (match === '_') return '.';
    if (match === '%') return '.*';
    return `\\${match}`;
  });
  return new RegExp(`^${expression}$`, 'su').test(database);
}

/** Quotes a name for SQL. */
export function quoteName(text: string): string {
  return `\`${text.replaceAll('`', '``')}\``;
}
