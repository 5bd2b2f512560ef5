import type { EngineContext } from '../engines/engineContext.js';
import type { Inventory, TableName } from '../engines/inventory.js';
import type { RowCounting, UnsureTable } from '../engines/rowCounting.js';
import { StowageError } from '../errors.js';
import type { TakeBackup } from './archive.js';
import { askAgain } from './askAgain.js';
import { countsTables, type PartContents } from './coverage.js';
import { lostObjects, type LostObject } from './dumpedObjects.js';
import { compareWithServer, doubtfulTables, unsureTables, type DumpedRows, type LostTable } from './dumpedRows.js';
import { inventoryOfDump } from './inventoryOfDump.js';
import type { Limits } from './limits.js';

/** A part that was dumped, stored and verified. */
export type PartToCheck = PartContents & {
  readonly counting: RowCounting | undefined;
  readonly toolOutput: string;
};

/** The share of the dump's time that the count after the dump may take, within limits. */
const share = 0.05;
const leastMs = 3_000;
const mostMs = 60_000;

/** How long counting may continue after a dump that took `dumpMs`. */
export function countingAfter(dumpMs: number): number {
  return Math.min(mostMs, Math.max(leastMs, share * dumpMs));
}

/**
 * Compares the content of the dump with that of the server, and returns the backup's inventory. The comparison is
 * needed because a tool may omit rows or tables and still succeed. Throws INCOMPLETE_DUMP naming the tables and other
 * objects that are missing or incomplete.
 */
export async function checkDump(
  input: TakeBackup,
  limits: Limits,
  context: EngineContext,
  work: { readonly before: Inventory; readonly parts: readonly PartToCheck[]; readonly countingMs: number },
): Promise<{ readonly inventory: Inventory; readonly warnings: readonly string[] }> {
  const { engine } = input;
  const { before, parts, countingMs } = work;
  const counts = await limits.outside(() =>
    Promise.all(parts.map(async ({ counting }) => counting?.end(countingMs) ?? { tables: [], late: [] })),
  );
  const rows: DumpedRows = {
    before: { ...before, databases: before.databases.filter(({ name }) => countsTables(name, parts)) },
    dumped: parts.flatMap(({ tables }) => tables ?? []),
    counted: counts.flatMap(({ tables }) => tables),
  };
  const { unsure, late } = splitLate(
    unsureTables(rows),
    counts.flatMap((each) => each.late),
  );
  const databases = before.databases.map(({ name }) => name);
  const result = await askAgain(input, limits, async (connection) => {
    const there = { ...connection, databases };
    const after = await engine.inventory(there, { ...context, countingMs: 0 });
    const states = unsure.length === 0 ? [] : await engine.recount(there, unsure, before, { ...context, countingMs });
    return { after, states };
  });
  if ('failure' in result) {
    refuseDoubtful([...doubtfulTables(rows), ...lostObjects(before, before, parts)], result.failure);
    const { inventory } = inventoryOfDump(before, undefined, parts);
    return { inventory, warnings: [unansweredWarning(result.failure), ...notComparedWarning([...unsure, ...late])] };
  }
  const { after, states } = result.answer;
  const compared = compareWithServer(rows, states);
  refuseLost(
    [...compared.lost, ...lostObjects(before, after, parts)],
    parts.map(({ toolOutput }) => toolOutput).join('\n'),
  );
  const { inventory, changed } = inventoryOfDump(before, after, parts);
  return {
    inventory,
    warnings: [
      ...(changed.length === 0
        ? []
        : [`Created or dropped during the dump, so they may or may not be in it: ${changed.join(', ')}.`]),
      ...(compared.fewer.length === 0
        ? []
        : [
            `Of these tables, which changed during the dump, the dump contains fewer rows than the server: ${listTables(compared.fewer)}.`,
          ]),
      ...notComparedWarning([...compared.notCompared, ...late]),
    ],
  };
}

/** A table that is not in the dump is always checked again, even if the time limit is over. */
function splitLate(all: readonly UnsureTable[], tooLate: readonly TableName[]) {
  const names = new Set(tooLate.map(nameOf));
  const isLate = (table: UnsureTable) => table.rows !== null && names.has(nameOf(table));
  return { unsure: all.filter((table) => !isLate(table)), late: all.filter(isLate) };
}

function nameOf({ database, name }: TableName): string {
  return JSON.stringify([database, name]);
}

/** Only the server knows whether an object is lost, or changed while it was dumped. */
function refuseDoubtful(doubtful: readonly Lost[], failure: StowageError): void {
  if (doubtful.length === 0) return;
  throw new StowageError(
    failure.code,
    `${failure.message} Without this answer it is unknown whether the dump is complete: ${listTables(doubtful)}.`,
    { help: failure.help, retriable: true, cause: failure },
  );
}

function refuseLost(lost: readonly Lost[], toolOutput: string): void {
  if (lost.length === 0) return;
  throw new StowageError('INCOMPLETE_DUMP', `The dump lacks objects that the server has: ${listTables(lost)}.`, {
    help: 'Check that the dump tool supports the version of the server, and that the user may see all tables and rows. The backup is tried again.',
    details: { lost: lost.slice(0, listedAtMost) },
    retriable: true,
    ...(toolOutput === '' ? {} : { toolOutput }),
  });
}

function unansweredWarning({ message }: StowageError): string {
  return `The server could not be queried again after the dump. The dump agrees with the earlier counts: ${message}`;
}

function notComparedWarning(tables: readonly TableName[]): readonly string[] {
  if (tables.length === 0) return [];
  return [
    `The server could not count the rows of these tables in time to compare them with the dump: ${listTables(tables)}.`,
  ];
}

type Lost = LostTable | LostObject;

const listedAtMost = 20;

function listTables(tables: readonly (TableName | Lost)[]): string {
  const shown = tables.slice(0, listedAtMost).map((table) => {
    const name = `${table.database}.${table.name}`;
    if ('kind' in table) return `${table.kind} ${name} (not in it)`;
    if (!('dumped' in table)) return name;
    return table.dumped === null ? `${name} (not in it)` : `${name} (${table.dumped} rows of ${table.counted ?? '?'})`;
  });
  const more = tables.length > listedAtMost ? ` and ${tables.length - listedAtMost} more` : '';
  return `${shown.join(', ')}${more}`;
}
