import type { DatabaseDefinitions } from './readDefinitions.js';
import type { TableParts } from './tableParts.js';

/** Objects of a server that belong to no database, so that a dump does not hold them. */
export function needsOfServerObjects(
  { tables, objects }: DatabaseDefinitions,
  need: (what: string, name: string) => void,
): void {
  for (const [table, parts] of tables) {
    for (const tablespace of tablespacesOf(parts)) need(`tablespace ${tablespace}`, table);
    for (const [part, text] of parts.parts) {
      const [, srs] = part.startsWith('column ') ? (/ SRID (\d+)/.exec(withoutTexts(text)) ?? []) : [];
      if (srs !== undefined && srs !== '0') {
        need(`spatial reference system ${srs}`, `${table}.${part.slice('column '.length)}`);
      }
      const [, parser] = part.startsWith('index ') ? (/ WITH PARSER `((?:[^`]|``)*)`/.exec(text) ?? []) : [];
      if (parser !== undefined) need(`parser ${parser.toLowerCase()}`, `${table}.${part.slice('index '.length)}`);
    }
  }
  for (const [event, { parts = {} }] of Object.entries(objects['events'] ?? {})) {
    const zone = parts['time zone'] ?? 'SYSTEM';
    if (!/^(SYSTEM|[+-].*|)$/.test(zone)) need(`time zone ${zone}`, event);
  }
}

/** The general tablespaces of the table and of its partitions. */
function tablespacesOf({ parts, tail }: TableParts): readonly string[] {
  const texts = [tail, parts.get('partitions') ?? ''].map(withoutTexts);
  const names = texts.flatMap((text) =>
    [...text.matchAll(/ TABLESPACE (?:= )?`((?:[^`]|``)*)`/g)].map(([, name = '']) => name.replaceAll('``', '`')),
  );
  return [...new Set(names)].filter((name) => !/^innodb_(?:system|file_per_table|temporary)$/i.test(name));
}

function withoutTexts(text: string): string {
  return text.replace(/'(?:[^'\\]|''|\\.)*'/gs, "''");
}
