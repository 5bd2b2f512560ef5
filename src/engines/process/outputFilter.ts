import { withoutQuoted } from '../../withoutValues.js';
import { statementHead } from './statementHead.js';

/**
 * What a program printed, without what may be the customer's data. Every line of every tool passes one before anybody
 * else sees it: what an engine's tools print, the engine knows.
 */
export type OutputFilter = {
  /** Takes a whole line of standard error, and gives those that may be shown now. */
  take(line: string): readonly string[];
  /** Gives what was still held back. */
  end(): readonly string[];
};

/** For programs that print no data by themselves: what stands after a quotation mark goes, and so do statements. */
export function plainOutput(): OutputFilter {
  return { take: (line) => [plainLine(line)], end: () => [] };
}

export function plainLine(line: string): string {
  return statementHead(line) ?? withoutQuoted(line);
}
