import type { ErrorCode, StowageErrorOptions } from '../../../errors.js';
import type { OnLine } from '../../process/lastLines.js';
import { lacksPlugin, loginWayOut } from '../errors/refusedLogin.js';
import { codeOfServerError, errorNumberIn } from '../errors/serverErrors.js';
import { wayOut, type Product, type Situation } from '../errors/wayOut.js';

/** A line in which a tool reports an error. Its meaning was recognised before secrets were removed from it. */
export type ToolProblem = {
  /** Without secrets and data. */
  readonly line: string;
  /** The error number of the server or of the client library. */
  readonly number: number | undefined;
  readonly code: ErrorCode;
  readonly wayOut: Pick<StowageErrorOptions, 'help' | 'retriable'>;
  /** The line contains one of the words `marked`. */
  readonly isMarked: boolean;
};

const keptProblems = 10;

/**
 * Collects the first lines in which a tool reports an error. `isProblem` and `marked` (words to search for in such a
 * line) are applied to each line before secrets are removed.
 */
export function toolProblems(
  product: Product,
  situation: Situation,
  isProblem: (line: string) => boolean,
  marked?: string,
): { readonly onLine: OnLine; readonly found: readonly ToolProblem[] } {
  const found: ToolProblem[] = [];
  return {
    found,
    onLine: (line, unredacted) => {
      const plain = unredacted.reveal();
      if (found.length >= keptProblems || !isProblem(plain)) return;
      const number = errorNumberIn(plain);
      found.push({
        line,
        number,
        code: lacksPlugin(plain) ? 'TOOL_MISSING' : number === undefined ? 'TOOL_FAILED' : codeOfServerError(number),
        wayOut: { ...wayOut(product, number, situation), ...loginWayOut(number, plain) },
        isMarked: marked !== undefined && plain.includes(marked),
      });
    },
  };
}
