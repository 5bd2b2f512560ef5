import type { Inventory } from '../../inventory.js';
import type { ServerDialect } from '../session/serverDialect.js';
import { currentName, isOn, type Target } from './target.js';
import { named, unfit } from './unfit.js';

/** Refuses a target that lacks a feature that the backup needs, before the restore fails in the middle. */
export function refuseMissingOffers(dialect: ServerDialect, target: Target, inventory: Inventory): void {
  refuseMissingEngines(dialect, target, inventory);
  for (const [need, objects] of needsOf(inventory)) {
    const [, kind = '', word = ''] = /^(\w+) (.*)$/s.exec(need) ?? [];
    if (kind === 'feature') refuseMissingFeature(dialect, target, word, objects);
    if (kind === 'key') refuseLongKeys(target, word, objects);
    if (kind === 'collation' && !target.collations.has(currentName(word))) {
      throw unfit(
        `The target (${target.version}) does not support the collation '${word}', which these columns of the backup use (error 1273): ${named(objects)}.`,
        `Restore into a server of the release of the backup's server (${inventory.serverVersion}) or later. Or change the collation on the source and take another backup.`,
        objects,
      );
    }
    if (need === 'encryption' && !target.encrypts) {
      throw unfit(
        `These tables of the backup are ENCRYPTED, and the target does not support encryption of data (no keyring or key management): ${named(objects)}.`,
        'Set up a keyring (MySQL) or a key management plugin (MariaDB, for example file_key_management) on the target.',
        objects,
      );
    }
    const keyRequired = keySettings(need).find((setting) => isOn(target, setting));
    if (keyRequired !== undefined) {
      throw unfit(
        `The target accepts no table without a primary key (${keyRequired}), and these tables of the backup have none: ${named(objects)}.`,
        `Run on the target: SET GLOBAL ${keyRequired}=OFF; Set it again after the restore.`,
        objects,
      );
    }
  }
}

/** MariaDB's setting accepts a unique key as well. The last one of MySQL adds a key to the tables. */
function keySettings(need: string): readonly string[] {
  const ofMysql = ['sql_require_primary_key', 'sql_generate_invisible_primary_key'];
  if (need === 'primary key beside unique keys') return ofMysql;
  return need === 'primary key' ? ['innodb_force_primary_key', ...ofMysql] : [];
}

function needsOf(inventory: Inventory): ReadonlyMap<string, readonly string[]> {
  const all = new Map<string, string[]>();
  const add = (need: string, names: readonly string[]) => {
    if (names.length > 0) all.set(need, [...(all.get(need) ?? []), ...names]);
  };
  for (const { name, needs = {}, objects, properties } of inventory.databases) {
    for (const [need, names] of Object.entries(needs)) add(need, names);
    const inDatabase = (kind: string) => (objects[kind] ?? []).map((each) => `${name}.${each}`);
    add('feature sequences', inDatabase('sequences'));
    add('feature packages', inDatabase('packages'));
    add('feature system versioning', inDatabase('systemVersionedTables'));
    if (properties['collation'] !== undefined) add(`collation ${properties['collation']}`, [name]);
  }
  return all;
}

function refuseMissingFeature(
  { features, product, releaseName }: ServerDialect,
  target: Target,
  feature: string,
  objects: readonly string[],
): void {
  const since = features.get(feature);
  if (since === undefined || target.release >= since) return;
  const release = releaseName(since);
  throw unfit(
    `The target (${target.version}) does not support ${feature.replace(/^type /, 'the column type ')}. ${product} has supported this since ${release}, and the backup needs it for ${named(objects)}.`,
    `Restore into a server of ${release} or later.`,
    objects,
  );
}

/** The bytes of the longest key of an InnoDB table, by page size (MariaDB manual, "InnoDB Limitations"). */
const innodbKeyBytes: Readonly<Record<string, number>> = { '4096': 768, '8192': 1536 };

const usualAriaBlock = 8192;

/** The bytes of the longest key of an Aria table (MariaDB's source, storage/maria, and "Aria Storage Engine" in its manual). */
function ariaKeyBytes(release: number): number {
  if (release < 1005) return 1000;
  // Since 10.6 a key of the server's own table proxies_priv needs more.
  return release < 1006 ? 2000 : 2300;
}

type KeyLimit = { readonly bytes: number; readonly why: string; readonly help: string };

/** Undefined: the target accepts every key that another server of the same engine accepts. */
function keyLimit({ variables, release, version }: Target, engine: string): KeyLimit | undefined {
  const orShorten = 'Or shorten the keys on the source and take another backup.';
  if (engine === 'aria') {
    const ofRelease = ariaKeyBytes(release);
    const blockSize = Number(variables.get('aria_block_size') ?? usualAriaBlock);
    const ofBlock = Math.floor(blockSize / 3) - 132;
    if (ofBlock < ofRelease) {
      const help = `Restore into a server with an aria_block_size of ${usualAriaBlock}. ${orShorten}`;
      return { bytes: ofBlock, why: `aria_block_size is ${blockSize}`, help };
    }
    if (ofRelease === ariaKeyBytes(Infinity)) return undefined;
    return { bytes: ofRelease, why: `it is ${version}`, help: `Restore into a later release. ${orShorten}` };
  }
  if (engine !== 'innodb') return undefined;
  const pageSize = variables.get('innodb_page_size') ?? '';
  const bytes = innodbKeyBytes[pageSize];
  if (bytes !== undefined) {
    const help = `Restore into a server with an innodb_page_size of 16384. This setting is fixed when the data directory of a server is created. ${orShorten}`;
    return { bytes, why: `innodb_page_size is ${pageSize}`, help };
  }
  // Only 10.2 has this variable. The limit applies to each column of a key.
  if (variables.get('innodb_large_prefix') !== 'OFF') return undefined;
  const help = 'Run on the target: SET GLOBAL innodb_file_format=Barracuda; SET GLOBAL innodb_large_prefix=ON;';
  return { bytes: 767, why: 'innodb_large_prefix is OFF', help };
}

/** @param word the engine and the bytes of the key */
function refuseLongKeys(target: Target, word: string, objects: readonly string[]): void {
  const [engine = '', bytes = ''] = word.split(' ');
  const limit = keyLimit(target, engine.toLowerCase());
  if (limit === undefined || Number(bytes) <= limit.bytes) return;
  throw unfit(
    `The target accepts keys of at most ${limit.bytes} bytes (${limit.why}). These keys of the backup have up to ${bytes} bytes (error 1071): ${named(objects)}.`,
    limit.help,
    objects,
  );
}

/**
 * If the storage engine is missing, the server creates the table with its default engine, and reports only a warning.
 */
function refuseMissingEngines(dialect: ServerDialect, target: Target, inventory: Inventory): void {
  for (const engine of new Set(
    inventory.databases.flatMap(({ tables }) => tables.flatMap((table) => table.engine ?? [])),
  )) {
    const tables = tablesWhere(inventory, (table) => table.engine === engine);
    if (!target.engines.has(engine.toLowerCase())) {
      throw unfit(
        `The target lacks the storage engine ${engine}, and would create these tables with another one: ${named(tables)}.`,
        `${dialect.engineInstallation(engine)} Or change the engine on the source (ALTER TABLE … ENGINE=InnoDB) and take another backup.`,
        tables,
      );
    }
  }
}

type Table = Inventory['databases'][number]['tables'][number];

function tablesWhere(inventory: Inventory, isMeant: (table: Table) => boolean): readonly string[] {
  return inventory.databases.flatMap(({ name, tables }) =>
    tables.filter(isMeant).map((table) => `${name}.${table.name}`),
  );
}
