import type { Session } from '../session/session.js';

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
    "SELECT plugin_name FROM information_schema.plugins WHERE plugin_type = 'ENCRYPTION' AND plugin_status = 'ACTIVE'",
  );
  const version = variables.get('version') ?? '';
  return {
    version,
    release: session.dialect.releaseOf(version),
    variables,
    engines: new Set(engines.map((row) => row['engine'] ?? '')),
    collations: await collationsOf(session),
    encrypts: plugins.length > 0,
  };
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
