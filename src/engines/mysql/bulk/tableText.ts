import { quoteName } from '../../mysqlFamily/privileges/grants.js';
import type { Row } from '../../mysqlFamily/session/session.js';

/** The rows of information_schema about one table. */
export type TableRows = {
  readonly table: Row;
  readonly columns: readonly Row[];
  /** One row for each column of each index, in the order of the columns. */
  readonly indexes: readonly Row[];
  /** One row for each column of each foreign key, in the order of the columns. */
  readonly foreignKeys: readonly Row[];
};

/**
 * The text that SHOW CREATE TABLE shows, without what `tableParts` ignores. Undefined: information_schema does not show
 * everything that this table may have, so only SHOW CREATE TABLE can show it. These are generated columns, expressions,
 * partitions, full-text and spatial indexes, texts that need an escape, all options except ROW_FORMAT, and engines
 * other than InnoDB.
 */
export function tableText({ table, columns, indexes, foreignKeys }: TableRows): string | undefined {
  const { name, engine, options, comment } = table;
  const known = /^(?:row_format=([A-Z]+))?$/i.exec(options ?? '');
  if (engine !== 'InnoDB' || known === null || columns.length === 0) return undefined;
  const [, rowFormat] = known;
  const pieces = [
    ...columns.map(columnText),
    ...groupedBy(indexes, 'index_name').map(indexText),
    ...groupedBy(foreignKeys, 'constraint_name').map((rows) => foreignKeyText(rows)),
  ];
  const tail = [
    'ENGINE=InnoDB',
    ...(rowFormat === undefined ? [] : [`ROW_FORMAT=${rowFormat.toUpperCase()}`]),
    ...((comment ?? '') === '' ? [] : [`COMMENT=${quoted(comment ?? '')}`]),
  ];
  if (pieces.includes(undefined) || !isPlain(name) || !isPlain(comment)) return undefined;
  return `CREATE TABLE ${quoteName(name ?? '')} (\n  ${pieces.join(',\n  ')}\n) ${tail.join(' ')}`;
}

/** Types whose default SHOW CREATE TABLE writes in another way than information_schema. */
const binaryTypes = /^(?:bit|binary|varbinary)\b/;
/** Types for which it writes no DEFAULT NULL. */
const withoutDefault = /^(?:tiny|medium|long)?(?:text|blob)$/;
const now = /^CURRENT_TIMESTAMP(?:\(\d\))?$/;
const knownExtra = /^(?:auto_increment|(?:DEFAULT_GENERATED)?(?: ?on update (CURRENT_TIMESTAMP(?:\(\d\))?))?)$/;

function columnText(row: Row): string | undefined {
  const { name, comment } = row;
  const [type, extra] = [row['type'] ?? '', row['extra'] ?? ''];
  const [isKnown, onUpdate] = knownExtra.exec(extra) ?? [];
  const value = defaultText(row, type, extra);
  if (isKnown === undefined || value === undefined || row['srs'] !== null || (row['expression'] ?? '') !== '') {
    return undefined;
  }
  if (!isPlain(name) || !isPlain(comment) || !isAscii(type)) return undefined;
  const nullable = row['nullable'] === 'YES';
  return [
    `${quoteName(name ?? '')} ${type}`,
    nullable ? (/^timestamp\b/.test(type) ? ' NULL' : '') : ' NOT NULL',
    value,
    onUpdate === undefined ? '' : ` ON UPDATE ${onUpdate}`,
    extra === 'auto_increment' ? ' AUTO_INCREMENT' : '',
    (comment ?? '') === '' ? '' : ` COMMENT ${quoted(comment ?? '')}`,
  ].join('');
}

function defaultText({ value, nullable }: Row, type: string, extra: string): string | undefined {
  if (extra.startsWith('DEFAULT_GENERATED')) return now.test(value ?? '') ? ` DEFAULT ${value}` : undefined;
  if (typeof value === 'string') {
    return binaryTypes.test(type) || !isAscii(value) || dependsOnTimeZone(type, value)
      ? undefined
      : ` DEFAULT ${quoted(value)}`;
  }
  return nullable === 'YES' && !withoutDefault.test(type) ? ' DEFAULT NULL' : '';
}

/** information_schema shows the default as the session wrote it that created the table, in the time zone of that session. */
function dependsOnTimeZone(type: string, value: string): boolean {
  return /^timestamp\b/.test(type) && !value.startsWith('0000-00-00 ');
}

function indexText(rows: readonly Row[]): string | undefined {
  const [{ index_name: name, not_unique: notUnique, kind, visible, comment } = {}] = rows;
  if (kind !== 'BTREE' || !isPlain(name) || !isPlain(comment)) return undefined;
  if (rows.some((row) => typeof row['column_name'] !== 'string')) return undefined;
  const columns = rows.map((row) => {
    const prefix = row['prefix'] === null ? '' : `(${row['prefix']})`;
    return `${quoteName(row['column_name'] ?? '')}${prefix}${row['direction'] === 'D' ? ' DESC' : ''}`;
  });
  const word = notUnique === '0' ? 'UNIQUE KEY' : 'KEY';
  return [
    name === 'PRIMARY' ? 'PRIMARY KEY' : `${word} ${quoteName(name ?? '')}`,
    ` (${columns.join(',')})`,
    (comment ?? '') === '' ? '' : ` COMMENT ${quoted(comment ?? '')}`,
    visible === 'NO' ? ' /*!80000 INVISIBLE */' : '',
  ].join('');
}

function foreignKeyText(rows: readonly Row[]): string | undefined {
  const [{ db, constraint_name: name, other_db: otherDb, other_table: other, on_update, on_delete } = {}] = rows;
  if (![name, otherDb, other].every(isPlain)) return undefined;
  const names = (column: string) => rows.map((row) => quoteName(row[column] ?? '')).join(', ');
  const referenced = `${otherDb === db ? '' : `${quoteName(otherDb ?? '')}.`}${quoteName(other ?? '')}`;
  const rule = (event: string, action: string | null | undefined) =>
    action === 'NO ACTION' ? '' : ` ON ${event} ${action}`;
  return (
    `CONSTRAINT ${quoteName(name ?? '')} FOREIGN KEY (${names('column_name')}) REFERENCES ${referenced} ` +
    `(${names('other_column')})${rule('DELETE', on_delete)}${rule('UPDATE', on_update)}`
  );
}

function groupedBy(rows: readonly Row[], column: string): readonly (readonly Row[])[] {
  const groups = new Map<string, Row[]>();
  for (const row of rows) {
    const group = groups.get(row[column] ?? '');
    if (group === undefined) groups.set(row[column] ?? '', [row]);
    else group.push(row);
  }
  return [...groups.values()];
}

/** No character of it needs an escape, except the quote. */
function isPlain(text: string | null | undefined): boolean {
  return /^[ -[\]-~\u00a0-\ud7ff\ue000-\uffff]*$/.test(text ?? '');
}

function isAscii(text: string): boolean {
  return /^[ -[\]-~]*$/.test(text);
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}
