import { withoutQuoted } from '../../withoutValues.js';
import { statementHead } from './statementHead.js';

/**
 * Removes possible data of a customer from the output of a program. Every line of every tool passes a filter before it
 * is logged, stored or shown. An engine has its own filters, because it knows the output of its tools.
 */
export type OutputFilter = {
  /** Receives a whole line of standard error. Returns the lines that may be shown now. */
  take(line: string): readonly string[];
  /** Returns the lines that were still buffered. */
  end(): readonly string[];
};

/** For programs that do not print data themselves. Removes quoted text and SQL statements. */
export function plainOutput(): OutputFilter {
  return { take: (line) => [plainLine(line)], end: () => [] };
}

export function plainLine(line: string): string {
  return statementHead(line) ?? withoutQuoted(line);
}
