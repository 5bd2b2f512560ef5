import { codeOfServerError, isChangedTable } from '../errors/serverErrors.js';
import { isStatementTimeout } from '../counting/countRows.js';
import { serverErrorNumber, type Row, type Session } from '../session/session.js';

/**
 * Whether a table holds a row that matches. `unknown` is the reason why the search has no result, as the end of a
 * sentence.
 */
export type Searched = boolean | Unknown;
type Unknown = { readonly unknown: string };

export const noTime: Unknown = { unknown: 'no time' };

const secondsForOneTable = 5;

/**
 * Searches a table for a row, for 5 s at most. `variables` apply to the statement. A table that no longer exists has no
 * rows. Throws if the server cannot be reached, refuses the account, or makes the search wait too long for a lock.
 */
export async function searchRows(
  session: Session,
  select: string,
  variables: Readonly<Record<string, string>> = {},
): Promise<Searched> {
  const rows = await searchedRows(session, select, variables);
  return 'unknown' in rows ? rows : rows.length > 0;
}

/** The rows that match, or the reason why they are unknown. Otherwise like `searchRows`. */
export async function searchedRows(
  session: Session,
  select: string,
  variables: Readonly<Record<string, string>> = {},
): Promise<readonly Row[] | Unknown> {
  try {
    const limits = { seconds: secondsForOneTable, variables };
    return await session.dialect.limitedSelect(session, select, limits);
  } catch (error) {
    const number = serverErrorNumber(error);
    if (isStatementTimeout(number)) return noTime;
    if (isChangedTable(number)) return [];
    if (number === undefined || codeOfServerError(number) !== 'TOOL_FAILED') throw error;
    return { unknown: `error ${number}` };
  }
}
