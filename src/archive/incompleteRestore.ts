import type { Inventory, InventoryDifference } from '../engines/engine.js';
import { StowageError } from '../errors.js';

/** The restore tool ended well, and yet the target lacks something that the backup holds. */
export class IncompleteRestore extends StowageError {
  constructor(
    lacking: readonly InventoryDifference[],
    /** All that is otherwise, also what is no reason to fail. */
    readonly differences: readonly InventoryDifference[],
  ) {
    const [first] = lacking;
    const more = lacking.length > 1 ? `, and ${lacking.length - 1} more` : '';
    const what =
      first === undefined ? 'something' : `${first.path} (${first.actual ?? 'nothing'} of ${first.expected})`;
    super('TOOL_FAILED', `The restore tool ended well, but the target lacks what the backup holds: ${what}${more}.`, {
      help: 'Look at the differences; somebody may have changed the target meanwhile, or the server did not keep all.',
      details: { lacking: lacking.slice(0, 20) },
    });
  }
}

/** Objects whose absence is no loss: events may end by themselves, the others are told of by name, not restored as such. */
const mayBeGone = new Set(['events', 'definers', 'transactionPreciseTables', 'systemVersionedTables']);

/**
 * Which of the differences are a loss: a database, a table, a view, routine, trigger or sequence that is not there, and
 * rows that are fewer than an exact count. More rows, or another collation, are not. Where the target `changesByItself`
 * no count of rows is one either.
 */
export function whatIsLacking(
  expected: Inventory,
  differences: readonly InventoryDifference[],
  { changesByItself }: { readonly changesByItself: boolean },
): readonly InventoryDifference[] {
  const harmless = new Set(
    expected.databases.flatMap(({ name, objects, properties }) => [
      ...Object.keys(properties).map((property) => `${name}.${property}`),
      ...Object.entries(objects)
        .filter(([kind]) => mayBeGone.has(kind))
        .flatMap(([kind, names]) => names.map((each) => `${name}.${kind}.${each}`)),
    ]),
  );
  const rows = new Set(
    expected.databases.flatMap(({ name, tables }) => tables.map((table) => `${name}.tables.${table.name}.rows`)),
  );
  return differences.filter(({ path, expected: wanted, actual }) => {
    if (actual === null) return !harmless.has(path);
    return rows.has(path) && !changesByItself && Number(actual) < Number(wanted);
  });
}
