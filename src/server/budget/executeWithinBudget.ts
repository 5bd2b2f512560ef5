import {
  execute,
  getOperationAST,
  GraphQLError,
  OperationTypeNode,
  type ExecutionArgs,
  type ExecutionResult,
} from 'graphql';
import type { RequestContext } from '../requestContext.js';

/**
 * Executes an operation when its viewer has few others, within the budget of its context. If the viewer has too many, or the
 * budget is exceeded, the answer is a single error, without data. Call `release` of the budget when the answer has been sent
 * or serialised.
 */
export async function executeWithinBudget(
  args: ExecutionArgs & { readonly contextValue: RequestContext },
): Promise<ExecutionResult> {
  const { budget } = args.contextValue;
  const kind = getOperationAST(args.document, args.operationName)?.operation ?? OperationTypeNode.QUERY;
  let leave: () => void;
  try {
    leave = await budget.begin(kind);
  } catch (error) {
    budget.release();
    return { errors: [asGraphQLError(error)] };
  }
  try {
    const pause = budget.pause();
    if (pause !== undefined) await pause;
    return await Promise.race([execute(args), budget.exceeded]);
  } catch (error) {
    if (!budget.isExceeded || !(error instanceof Error)) {
      budget.release();
      throw error;
    }
    return { errors: [asGraphQLError(error)], data: null };
  } finally {
    leave();
  }
}

function asGraphQLError(error: unknown): GraphQLError {
  const originalError = error instanceof Error ? error : new Error(String(error));
  return new GraphQLError(originalError.message, { originalError });
}
