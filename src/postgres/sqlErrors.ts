import { QueryFailedError } from 'typeorm';
import { StowageError } from '../errors.js';

/** What PostgreSQL says about a refused statement: SQLSTATE and, where a constraint refused it, its name. */
export type SqlRefusal = { readonly sqlState: string; readonly constraint: string | undefined };

export function sqlRefusal(error: unknown): SqlRefusal | undefined {
  const cause: unknown = error instanceof QueryFailedError ? error.driverError : error;
  if (typeof cause !== 'object' || cause === null) return undefined;
  if (!('code' in cause) || typeof cause.code !== 'string') return undefined;
  const constraint = 'constraint' in cause && typeof cause.constraint === 'string' ? cause.constraint : undefined;
  return { sqlState: cause.code, constraint };
}

const uniqueViolation = '23505';
export const foreignKeyViolation = '23503';

/** The same transaction may pass when it runs again: somebody else was faster, or a deadlock was broken. */
export function passesWhenRepeated({ sqlState }: SqlRefusal): boolean {
  return sqlState === uniqueViolation || sqlState === '40001' || sqlState === '40P01';
}

/** What the driver says, without a code, of a connection that went away or was not to be had. */
const lostConnection = /Connection terminated|timeout exceeded when trying to connect|Client .* not queryable/;

/**
 * UNAVAILABLE when PostgreSQL could not be reached, went away or is starting; any other error as it is. SQLSTATE classes:
 * 08 connection, 53 resources, 57P shutdown (PostgreSQL manual, appendix A); 25P03: this process stood still for so long in
 * a transaction that the server ended it.
 */
export function outageOr(error: unknown): unknown {
  if (error instanceof StowageError) return error;
  const code = sqlRefusal(error)?.sqlState ?? '';
  const lost = lostConnection.test(String(error));
  if (!lost && !/^(08...|25P03|53...|57P..|ECONN[A-Z]+|ETIMEDOUT|EPIPE|ENOTFOUND|EAI_AGAIN)$/.test(code)) return error;
  return new StowageError('UNAVAILABLE', 'PostgreSQL does not answer right now.', { cause: error });
}

/** The query's answer; while PostgreSQL is away it is UNAVAILABLE. */
export async function answered<T>(query: Promise<T>): Promise<T> {
  return query.catch((error: unknown) => {
    throw outageOr(error);
  });
}
