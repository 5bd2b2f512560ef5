import type { ChangedObject } from './backupChanges.js';
import type { InventoryChanges } from './inventoryComparison.js';

/** How many objects of one sort the sentence names. The others are counted. */
const namedAtMost = 3;

/**
 * The changes in one sentence: tables with fewer rows, objects that are gone, new and redefined, and the rows of all
 * tables. `≈` marks a number that is an estimate, or that is compared with one. `objects` are sorted: the largest falls
 * first.
 */
export function changesSentence({ objects, ...totals }: InventoryChanges): string {
  const fewer = objects.filter((each) => each.change === 'CHANGED' && lostRows(each) > 0);
  const parts = [
    ...fewer.slice(0, namedAtMost).map((each) => `${objectName(each)}: ${rowsNow(each)}`),
    ...more(fewer, 'with fewer rows'),
    ...byKind(objects, 'GONE', 'gone'),
    ...byKind(objects, 'NEW', 'new'),
    ...redefined(objects),
    wholeOf(totals),
  ];
  return `${parts.join('; ')}.`;
}

/** The rows that an object lost. 0: none, or unknown. */
export function lostRows({ change, rowsBefore, rowsAfter }: ChangedObject): number {
  if (rowsBefore === null) return 0;
  return change === 'GONE' ? rowsBefore : Math.max(0, rowsBefore - (rowsAfter ?? rowsBefore));
}

export function objectName({ database, kind, name }: Pick<ChangedObject, 'database' | 'kind' | 'name'>): string {
  return kind === 'database' ? shortName(database) : `${shortName(database)}.${shortName(name)}`;
}

/** A name of at most 100 characters. It cuts no character in two, because PostgreSQL stores no half characters. */
export function shortName(name: string): string {
  const characters = Array.from(name);
  return characters.length > 100 ? `${characters.slice(0, 99).join('')}…` : name;
}

export function withSeparators(number: number): string {
  return number.toLocaleString('en-US');
}

function rowsNow({ rowsBefore, rowsAfter, rowsEstimated }: ChangedObject): string {
  const change = rowsBefore === null || rowsAfter === null ? '' : changeOf(rowsBefore, rowsAfter);
  return `${rowsEstimated ? '≈ ' : ''}${rowsIn(rowsAfter ?? 0)}${change}`;
}

function rowsIn(rows: number): string {
  return `${withSeparators(rows)} ${rows === 1 ? 'row' : 'rows'}`;
}

/** For example `, −98 %`. A change of less than a percent is a number of rows. Never rounds a fall up to 100 %. */
function changeOf(before: number, after: number): string {
  if (before === after) return '';
  const difference = Math.abs(after - before);
  const percent = before === 0 ? 0 : (difference / before) * 100;
  if (percent < 1) return `, ${withSeparators(difference)} ${after < before ? 'fewer' : 'more'}`;
  const isNearlyAll = after > 0 && after < before && percent > 99;
  const shown = isNearlyAll ? Math.floor(percent * 10) / 10 : Math.round(percent);
  return `, ${after < before ? '−' : '+'}${withSeparators(shown)} %`;
}

function byKind(objects: readonly ChangedObject[], change: ChangedObject['change'], word: string): readonly string[] {
  const found = objects.filter((each) => each.change === change);
  const kinds = new Set(found.map(({ kind }) => kind));
  return [...kinds].map((kind) => {
    const all = found.filter((each) => each.kind === kind);
    return `${countOf(all.length, kind)} ${word} (${namesOf(all)})`;
  });
}

function redefined(objects: readonly ChangedObject[]): readonly string[] {
  const all = objects.filter(({ definitionChanged }) => definitionChanged);
  if (all.length === 0) return [];
  return [`${withSeparators(all.length)} ${all.length === 1 ? 'definition' : 'definitions'} changed (${namesOf(all)})`];
}

function more(all: readonly ChangedObject[], what: string): readonly string[] {
  const others = all.length - namedAtMost;
  return others > 0 ? [`${withSeparators(others)} more ${others === 1 ? 'table' : 'tables'} ${what}`] : [];
}

function namesOf(all: readonly ChangedObject[]): string {
  const others = all.length - namedAtMost;
  const names = all.slice(0, namedAtMost).map(objectName).join(', ');
  return others > 0 ? `${names} and ${withSeparators(others)} more` : names;
}

/** `tables` and `packageBodies` become `1 table` and `2 package bodies`. */
function countOf(count: number, kind: string): string {
  const plural = (kind === 'database' ? 'databases' : kind).replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
  const singular = plural.endsWith('ies') ? `${plural.slice(0, -3)}y` : plural.replace(/s$/, '');
  return `${withSeparators(count)} ${count === 1 ? singular : plural}`;
}

function wholeOf({ rowsBefore, rowsAfter, rowsEstimated }: Omit<InventoryChanges, 'objects'>): string {
  const mark = rowsEstimated ? '≈ ' : '';
  const change = rowsBefore === rowsAfter ? ', as many as before' : changeOf(rowsBefore, rowsAfter);
  return `${mark}${rowsIn(rowsAfter)} in all${change}`;
}
