import type { Inventory } from '../../inventory.js';
import type { Named, Names } from '../catalog/catalog.js';
import { listed } from '../checks/listed.js';
import type { Row, Session } from '../session/session.js';
import type { TableStatement } from './wideCharacters.js';

/**
 * mariadb-dump writes a stored program in the character set of the client that created it. But it writes definers,
 * names of events, comments and the return type of a function in utf8. No single character set reads both: a restore
 * would change the comment `ä` of a latin1 client to `Ã¤`. So the scanner replaces such texts by their form in the
 * client's character set, which the server provides.
 */
export type ProgramText = {
  /** The character set of the client. */
  readonly characterSet: string;
  readonly utf8: Buffer;
  readonly converted: Buffer;
};

type Found = Named & { readonly kind: string; readonly characterSet: string; readonly texts: readonly string[] };

const notAscii = /[^\0-\x7f]/;

/**
 * Sentences that name programs with texts which the character set of their client cannot represent. A restore changes
 * these texts.
 */
export async function readProgramTexts(
  session: Session,
  { databases, routines, triggers, events }: Pick<Names, 'databases' | 'routines' | 'triggers' | 'events'>,
): Promise<{ readonly texts: readonly ProgramText[]; readonly warnings: readonly string[] }> {
  const chosen = databases.map(({ name }) => name);
  const query = async (select: string, from: string): Promise<readonly Row[]> =>
    await session.query(
      `SELECT ${select} FROM information_schema.${from}
         AND character_set_client NOT IN ('utf8', 'utf8mb3', 'utf8mb4', 'binary')`,
      [chosen],
    );
  const found: Found[] = [];
  const { writesNamesInUtf8 } = session.dialect;
  const ofName = (row: Row) => (writesNamesInUtf8 ? [row['name'] ?? ''] : []);
  if (routines.length > 0) {
    const rows = await query(
      `routine_schema AS db, routine_name AS name, definer AS definer, routine_comment AS comment, dtd_identifier AS returns,
       character_set_client AS character_set_client`,
      'routines WHERE routine_schema IN (?)',
    );
    found.push(
      ...rows.map((row) =>
        program('routine', row, [...ofName(row), row['comment'] ?? '', ...strings(row['returns'] ?? '')]),
      ),
    );
  }
  if (events.length > 0) {
    const rows = await query(
      'event_schema AS db, event_name AS name, definer AS definer, event_comment AS comment, character_set_client AS character_set_client',
      'events WHERE event_schema IN (?)',
    );
    found.push(...rows.map((row) => program('event', row, [row['name'] ?? '', row['comment'] ?? ''])));
  }
  // Listing triggers is slow on a server with many tables, so only the definers are read.
  if (triggers.length > 0 && (writesNamesInUtf8 || triggers.some(({ definer }) => notAscii.test(definer)))) {
    const rows = await query(
      `trigger_schema AS db, trigger_name AS name, definer AS definer, event_object_table AS of_table,
       character_set_client AS character_set_client`,
      'triggers WHERE trigger_schema IN (?)',
    );
    found.push(
      ...rows.map((row) =>
        program('trigger', row, [...ofName(row), ...(writesNamesInUtf8 ? [row['of_table'] ?? ''] : [])]),
      ),
    );
  }
  const texts: ProgramText[] = [];
  const lost: string[] = [];
  for (const { kind, database, name, characterSet, texts: all } of found) {
    for (const text of new Set(all.filter((each) => notAscii.test(each)))) {
      const converted = await convert(session, text, characterSet);
      if (converted === undefined) lost.push(`${kind} ${database}.${name}`);
      else texts.push({ characterSet, utf8: Buffer.from(text), converted });
    }
  }
  return {
    texts,
    warnings: listed(
      [...new Set(lost)],
      'A restore changes characters in names, comments or definers of these, because the character set of the client that created them lacks some characters',
    ),
  };
}

function program(kind: string, row: Row, texts: readonly string[]): Found {
  const definer = row['definer'] ?? '';
  const at = definer.lastIndexOf('@');
  return {
    ...{ kind, database: row['db'] ?? '', name: row['name'] ?? '', characterSet: row['character_set_client'] ?? '' },
    texts: [...texts, definer.slice(0, at), definer.slice(at + 1)],
  };
}

/** The strings in a type, such as the members of an ENUM. */
function strings(type: string): readonly string[] {
  return [...type.matchAll(/'((?:[^'\\]|''|\\.)*)'/gs)].map(([, text = '']) => text.replaceAll("''", "'"));
}

/** Undefined: the character set lacks a character of the text. The name of the character set comes from the server. */
async function convert(session: Session, text: string, characterSet: string): Promise<Buffer | undefined> {
  if (!/^\w+$/.test(characterSet)) return undefined;
  const [row] = await session.query(
    `SELECT HEX(CONVERT(? USING ${characterSet})) AS converted,
            HEX(CONVERT(CONVERT(? USING ${characterSet}) USING utf8mb4)) AS back`,
    [text, text],
  );
  const isWhole = row?.['back'] === Buffer.from(text).toString('hex').toUpperCase();
  return isWhole ? Buffer.from(row['converted'] ?? '', 'hex') : undefined;
}

/**
 * The notes for the scanner: one entry a line, in hex. It has the texts, and the number of restarts of sequences
 * (CYCLE), which the dump tool leaves out, statements that follow the databases, modes that the rows need in sql_mode,
 * and statements that follow the CREATE TABLE of a table.
 */
export function serializeForScanner(
  texts: readonly ProgramText[],
  { databases }: Inventory,
  lastStatements: readonly string[] = [],
  rowModes: readonly string[] = [],
  tableStatements: readonly TableStatement[] = [],
): string {
  const hex = (text: string | Buffer) => Buffer.from(text).toString('hex');
  const rounds = databases.flatMap(({ name: database, definitions = {} }) =>
    Object.entries(definitions['sequences'] ?? {}).flatMap(([name, { parts }]) =>
      parts?.['rounds'] === undefined ? [] : [`:rounds .${hex(database)}.${hex(name)} ${parts['rounds']}`],
    ),
  );
  const lines = texts.map(({ characterSet, utf8, converted }) => `${characterSet} ${hex(utf8)} ${hex(converted)}`);
  const last = lastStatements.map((statement) => `:last ${hex(statement)}`);
  const modes = rowModes.map((mode) => `:mode ${mode}`);
  const after = tableStatements.map(({ database, table, sql }) => `:after .${hex(database)}.${hex(table)} ${hex(sql)}`);
  return [...lines, ...rounds, ...last, ...modes, ...after].map((line) => `${line}\n`).join('');
}
