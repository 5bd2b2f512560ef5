import { serverErrorNumber, type Session } from '../session/session.js';

/** The properties of a target that a restore needs. They are read once. */
export type Target = {
  readonly version: string;
  /** See `releaseOf` of the dialect. */
  readonly release: number;
  /** Global variables, by name in lower case. */
  readonly variables: ReadonlyMap<string, string>;
  /** Storage engines that can be used, in lower case. */
  readonly engines: ReadonlySet<string>;
  readonly collations: ReadonlySet<string>;
  /** Whether a plugin offers encryption keys. */
  readonly encrypts: boolean;
};

export async function readTarget(session: Session): Promise<Target> {
  const variables = new Map(
    (await session.query('SHOW GLOBAL VARIABLES')).map((row) => [
      (row['Variable_name'] ?? '').toLowerCase(),
      row['Value'] ?? '',
    ]),
  );
  const engines = await session.query(
    "SELECT LOWER(engine) AS engine FROM information_schema.engines WHERE support IN ('YES', 'DEFAULT')",
  );
  const plugins = await session.query(
    "SELECT plugin_name FROM information_schema.plugins WHERE plugin_type IN ('ENCRYPTION', 'KEYRING') AND plugin_status = 'ACTIVE'",
  );
  const version = variables.get('version') ?? '';
  // MySQL lists these engines, and refuses to create a table with them (3161).
  const disabled = new Set((variables.get('disabled_storage_engines') ?? '').toLowerCase().split(/\s*,\s*/));
  return {
    version,
    release: session.dialect.releaseOf(version),
    variables,
    engines: new Set(engines.map((row) => row['engine'] ?? '').filter((engine) => !disabled.has(engine))),
    collations: await collationsOf(session),
    encrypts: plugins.length > 0 || (session.dialect.product === 'MySQL' && (await hasKeyringComponent(session))),
  };
}

/** MySQL's components are not plugins. An account that may not read their state sees a target that encrypts. */
async function hasKeyringComponent(session: Session): Promise<boolean> {
  try {
    const rows = await session.query(
      "SELECT 1 FROM performance_schema.keyring_component_status WHERE status_key = 'Component_status' AND status_value = 'Active'",
    );
    return rows.length > 0;
  } catch (error) {
    // 1142: the account may not read it. 1146: the release has no such table.
    const number = serverErrorNumber(error);
    if (number !== 1142 && number !== 1146) throw error;
    return number === 1142;
  }
}

export function isOn(target: Target, variable: string): boolean {
  return /^(ON|1)$/i.test(target.variables.get(variable) ?? '');
}

/**
 * MariaDB 10.10 and later list the collations of UCA 14 without their character set, but the definitions of columns
 * contain the character set.
 */
async function collationsOf(session: Session): Promise<ReadonlySet<string>> {
  const rows = await session.query('SELECT * FROM information_schema.collation_character_set_applicability');
  return new Set(
    rows.flatMap((row) => [row['COLLATION_NAME'], row['FULL_COLLATION_NAME']]).map((name) => currentName(name ?? '')),
  );
}

/** MariaDB 10.6 changed the name of the character set utf8 to utf8mb3. */
export function currentName(collation: string): string {
  return collation.replace(/^utf8_/, 'utf8mb3_');
}
