import type { InputProblems } from '../server/inputValidation.js';
import { integerWithin, text } from '../server/inputValidation.js';

/** How many rows must remain since the previous backup, and what happens otherwise. */
export type DriftThreshold = {
  /** The percentage of its rows that each table keeps at least. Null: no limit for a single table. */
  readonly tablePercent: number | null;
  /** The percentage of rows that all tables together keep at least. Null: no limit for the whole. */
  readonly totalPercent: number | null;
  /** WARN: the backup succeeds with a warning. FAIL: the job fails with DRIFT_EXCEEDED. */
  readonly action: 'WARN' | 'FAIL';
  /** Tables, as `database.table`, that may lose all rows, for example queues. They do not count for the whole either. */
  readonly exceptTables: readonly string[];
};

/** The input of a client. At least one of the two percentages is set. */
export type DriftThresholdInput = {
  readonly table?: number | null;
  readonly total?: number | null;
  readonly action: DriftThreshold['action'];
  readonly exceptTables: readonly string[];
};

const mostExceptions = 100;

/** Adds the problems of the input under `path`. */
export function checkDriftThreshold(
  problems: InputProblems,
  input: DriftThresholdInput | null | undefined,
  path = 'input.driftThreshold',
): void {
  if (input === null || input === undefined) return;
  problems
    .check(`${path}.table`, input.table, integerWithin(1, 100))
    .check(`${path}.total`, input.total, integerWithin(1, 100))
    .checkList(
      `${path}.exceptTables`,
      input.exceptTables,
      { atLeast: 0, atMost: mostExceptions, unique: true },
      text(3, 600),
      qualifiedName,
    );
  if ((input.table ?? null) === null && (input.total ?? null) === null) {
    const hint = 'Set `table`, `total` or both, for example table: 50. For no threshold omit driftThreshold.';
    problems.add(path, 'needs a percentage', hint);
  }
}

export function driftThresholdOf(input: DriftThresholdInput): DriftThreshold {
  const { table = null, total = null, action, exceptTables } = input;
  return { tablePercent: table, totalPercent: total, action, exceptTables };
}

function qualifiedName(name: string) {
  return /^[^.]+\../.test(name)
    ? undefined
    : { problem: 'names no database', hint: 'Write the name of the database, a dot, and the name of the table.' };
}
