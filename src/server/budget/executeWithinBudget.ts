import { execute, GraphQLError, type ExecutionArgs, type ExecutionResult } from 'graphql';
import type { RequestContext } from '../requestContext.js';

/**
 * Executes an operation within the budget of its context. If the budget is exceeded, the answer is a single error at once,
 * without data. Call `release` of the budget when the answer has been sent or serialised.
 */
export async function executeWithinBudget(
  args: ExecutionArgs & { readonly contextValue: RequestContext },
): Promise<ExecutionResult> {
  const { budget } = args.contextValue;
  try {
    const pause = budget.pause();
    if (pause !== undefined) await pause;
    return await Promise.race([execute(args), budget.exceeded]);
  } catch (error) {
    if (!budget.isExceeded || !(error instanceof Error)) {
      budget.release();
      throw error;
    }
    return { errors: [new GraphQLError(error.message, { originalError: error })], data: null };
  }
}
