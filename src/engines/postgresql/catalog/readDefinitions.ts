import { createHash } from 'node:crypto';
import type { Definition } from '../../inventory.js';
import { catalogBytes, type Row, type Session } from '../session/session.js';
import { definitionQueries } from './definitionQueries.js';
import { qualifiedName } from './names.js';

/** The definitions of a database: by kind, then by name. */
export type Definitions = ReadonlyMap<string, ReadonlyMap<string, Definition>>;

/** A change of how definitions are read needs a new number, because the results are not compared then. */
export const normalisation = 2;

/** A longer text is replaced by its digest. */
const mostChars = 400;
/** A definition with more parts keeps only its digest. */
const mostParts = 400;

type Parts = Map<string, string>;

/** Reads the definitions of all objects of the session's database. */
export async function readDefinitions(session: Session): Promise<Definitions> {
  const found = new Map<string, Map<string, Parts>>();
  for (const query of definitionQueries) {
    await session.query(query, [], {
      maxBytes: catalogBytes,
      onRows: (rows) => rows.forEach((row) => add(row, found)),
    });
  }
  return new Map(
    [...found].map(([kind, all]) => [kind, new Map([...all].map(([name, parts]) => [name, definitionOf(parts)]))]),
  );
}

function add(row: Row, found: Map<string, Map<string, Parts>>): void {
  const [kind, name, schema] = [row['kind'] ?? '', row['name'] ?? '', row['schema'] ?? null];
  const all = inserted(found, kind, () => new Map<string, Parts>());
  const parts = inserted(all, schema === null ? name : qualifiedName(schema, name), () => new Map<string, string>());
  parts.set(row['part'] ?? '', row['text'] ?? '');
}

/** Columns keep their order in the hash. The order of other parts means nothing. */
function definitionOf(parts: Parts): Definition {
  const isColumn = ([name]: readonly [string, string]) => name.startsWith('column ');
  const all = [...parts];
  const others = all.filter((each) => !isColumn(each)).sort(([one], [other]) => (one < other ? -1 : 1));
  const hash = digest(JSON.stringify([...all.filter(isColumn), ...others]));
  if (all.length > mostParts || parts.has('')) return { hash };
  return { hash, parts: Object.fromEntries(all.map(([name, text]) => [name, shortened(text)])) };
}

function shortened(text: string): string {
  return text.length <= mostChars ? text : digest(text);
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

function inserted<K, V>(map: Map<K, V>, key: K, create: () => V): V {
  const known = map.get(key);
  if (known !== undefined) return known;
  const made = create();
  map.set(key, made);
  return made;
}
