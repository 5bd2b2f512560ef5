import { codeOfServerError } from '../errors/serverErrors.js';
import { serverErrorNumber, type Session } from '../session/session.js';

/** The members of an ENUM or a SET, as literals of a session without an sql_mode. */
export type Members = {
  readonly type: 'enum' | 'set';
  readonly literals: readonly string[];
  readonly collation: string;
};

/** Reads the members from the text of a column in the parts of its table. Undefined: the column has another type. */
export function membersOf(column: string): Members | undefined {
  const [, type, list = ''] = /^(enum|set)\(((?:'(?:[^'\\]|''|\\.)*',?)*)\)/s.exec(column) ?? [];
  const [, collation] = / COLLATE (\w+)$/.exec(column) ?? [];
  if ((type !== 'enum' && type !== 'set') || collation === undefined) return undefined;
  return { type, literals: list.match(/'(?:[^'\\]|''|\\.)*'/gs) ?? [], collation };
}

/**
 * Whether the server must be queried. A mode without STRICT, and older servers, accept members that are equal in the
 * collation of the column. Plain words that differ in more than letter case are different in every collation. The
 * exceptions are i, j and y, and u, v and w, which some collations treat as equal.
 */
export function mayBeEqual({ literals }: Members): boolean {
  if (literals.some((literal) => !/^'[\w .,:+-]*'$/.test(literal))) return literals.length > 1;
  const folded = literals.map((literal) => literal.toLowerCase().replace(/[jy]/g, 'i').replace(/[vw]/g, 'u'));
  return new Set(folded).size < folded.length;
}

/** A server may reject a statement with more members than this. */
const mostMembers = 1000;

/** The positions, from 1, of members that equal an earlier one, or the reason why they are unknown. */
export async function equalMembers(
  session: Session,
  { literals, collation }: Members,
): Promise<number[] | { readonly unknown: string }> {
  if (literals.length > mostMembers) return { unknown: `more than ${mostMembers} members` };
  const characterSet = collation.split('_')[0] ?? '';
  const rows = literals.map((literal, index) => `SELECT ${index + 1} AS i, ${literal} AS m`).join(' UNION ALL ');
  const member = `CONVERT(m USING ${characterSet}) COLLATE ${collation}`;
  const sql = `SELECT i FROM (SELECT i, MIN(i) OVER (PARTITION BY ${member}) AS first_one FROM (${rows}) AS members) AS compared WHERE i > first_one`;
  try {
    return (await session.query(sql)).map((row) => Number(row['i']));
  } catch (error) {
    const number = serverErrorNumber(error);
    if (number === undefined || codeOfServerError(number) !== 'TOOL_FAILED') throw error;
    return { unknown: `error ${number}` };
  }
}
