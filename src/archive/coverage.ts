import type { DumpEnd } from '../engines/runningDump.js';
import type { PartSpec } from '../engines/preflightReport.js';

/** The content of a dumped part that its engine has read from the dump. */
export type PartContents = {
  readonly spec: Pick<PartSpec, 'databases'>;
  readonly tables: DumpEnd['tables'];
  readonly objects: DumpEnd['objects'];
};

/** The parts that may contain objects of a database. */
export function partsOf<T extends PartContents>(database: string, parts: readonly T[]): readonly T[] {
  return parts.filter(({ spec }) => spec.databases?.includes(database) ?? true);
}

/**
 * Whether the tables of a database can be compared with its dump. A part that does not count tables may hold any table
 * of its databases, and shows nothing about the databases of other parts.
 */
export function countsTables(database: string, parts: readonly PartContents[]): boolean {
  return partsOf(database, parts).every(({ tables }) => tables !== undefined);
}
