import { QueryFailedError } from 'typeorm';

/** What PostgreSQL says about a refused statement: SQLSTATE and, where a constraint refused it, its name. */
export type SqlRefusal = { readonly sqlState: string; readonly constraint: string | undefined };

export function sqlRefusal(error: unknown): SqlRefusal | undefined {
  const cause: unknown = error instanceof QueryFailedError ? error.driverError : error;
  if (!(cause instanceof Error) || !('code' in cause) || typeof cause.code !== 'string') return undefined;
  const constraint = 'constraint' in cause && typeof cause.constraint === 'string' ? cause.constraint : undefined;
  return { sqlState: cause.code, constraint };
}

export const uniqueViolation = '23505';
export const foreignKeyViolation = '23503';

/** The same transaction may pass when it runs again: somebody else was faster, or a deadlock was broken. */
export function passesWhenRepeated({ sqlState }: SqlRefusal): boolean {
  return sqlState === uniqueViolation || sqlState === '40001' || sqlState === '40P01';
}
