import { GraphQLError } from 'graphql';
import { StowageError } from '../errors.js';

/** An operation that was refused because of the rights of its caller. */
export type Refusal = {
  readonly operation: string;
  /** The project in which the role of the caller is too low. Null: no project, or the caller does not see it. */
  readonly projectId: string | null;
  /** A sentence for the audit. The caller does not get it. */
  readonly detail: string;
};

const refusals = new WeakMap<StowageError, Refusal>();

/** Marks an error as a refusal because of rights. The answer stays the same. */
export function asRefusal(error: StowageError, refusal: Refusal): StowageError {
  refusals.set(error, refusal);
  return error;
}

/** The refusals among the errors of an answer. */
export function refusalsIn(errors: readonly unknown[]): readonly Refusal[] {
  return errors.flatMap((error) => {
    let root = error;
    while (root instanceof GraphQLError && root.originalError !== undefined) root = root.originalError;
    const refusal = root instanceof StowageError ? refusals.get(root) : undefined;
    return refusal === undefined ? [] : [refusal];
  });
}
