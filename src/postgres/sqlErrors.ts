import { QueryFailedError } from 'typeorm';
import { StowageError } from '../errors.js';

/**
 * The reason why PostgreSQL refused a statement: the SQLSTATE and, if there is one, the name of the violated
 * constraint.
 */
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

/**
 * Whether the same transaction may succeed when it is repeated, because another writer was faster or a deadlock was
 * ended.
 */
export function passesWhenRepeated({ sqlState }: SqlRefusal): boolean {
  return sqlState === uniqueViolation || sqlState === '40001' || sqlState === '40P01';
}

/**
 * Messages without a code about a connection that was lost or could not be opened. TypeORM releases a query runner
 * whose connection is lost.
 */
const lostConnection =
  /Connection terminated|timeout exceeded when trying to connect|Client .* not queryable|Query runner already released/;

/**
 * Converts the error of an unreachable, stopping or starting PostgreSQL to UNAVAILABLE, and returns any other error
 * unchanged. SQLSTATE classes: 08 connection, 53 resources, 57P shutdown (PostgreSQL manual, appendix A). 25P03: the
 * server ended a transaction because this process was idle in it for too long.
 */
export function outageAsUnavailable(error: unknown): unknown {
  if (error instanceof StowageError) return error;
  const code = sqlRefusal(error)?.sqlState ?? '';
  const lost = lostConnection.test(String(error));
  if (
    !lost &&
    !/^(08...|25P03|53...|57P..|ECONN[A-Z]+|ETIMEDOUT|EPIPE|E(?:HOST|NET)UNREACH|ENOTFOUND|EAI_AGAIN)$/.test(code)
  ) {
    return error;
  }
  return new StowageError('UNAVAILABLE', 'PostgreSQL does not answer right now.', { cause: error });
}

/** Whether PostgreSQL did not answer, so that the same request may succeed in a moment. */
export function isOutage(error: unknown): boolean {
  return error instanceof StowageError && error.code === 'UNAVAILABLE' && error.retriable;
}

/**
 * The connection was lost after COMMIT had been sent. The server may have committed, may still commit, or may have
 * rolled back. Only the log shows which.
 */
export class OutcomeUnknown extends StowageError {
  constructor(cause: unknown) {
    super(
      'UNAVAILABLE',
      'PostgreSQL stopped answering at the end of the change. It is unknown whether the change was made.',
      {
        help: 'Send the same input with the same commandId again. Without a commandId, first read the object to see whether it was changed.',
        details: { outcome: 'UNKNOWN' },
        cause,
      },
    );
  }
}

/** The result of the query. Throws UNAVAILABLE while PostgreSQL cannot be reached. */
export async function unavailableOnOutage<T>(query: Promise<T>): Promise<T> {
  return query.catch((error: unknown) => {
    throw outageAsUnavailable(error);
  });
}
