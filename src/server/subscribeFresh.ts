import type { ExecutionArgs, ExecutionResult } from 'graphql';
import { createSourceEventStream, GraphQLError } from 'graphql';
import { withoutLimit, type Patiently } from './patiently.js';
import { contextOfNextEvent, type RequestContext } from './requestContext.js';

export type FreshOptions = {
  /** Executes one event. */
  readonly execute: (args: ExecutionArgs) => Promise<ExecutionResult>;
  /** Called once: when the source has ended or failed, or when the reader has left. */
  readonly onEnd: () => void;
  /** Runs each read of the source. */
  readonly patiently?: Patiently;
};

/**
 * Runs a subscription and executes every event with new loaders and a new budget. With `subscribe` of graphql-js the loaders
 * would live as long as the subscription and return the values of its first event. The next event is read from the source
 * only when the reader asks for it. An exception of a `subscribe` function is the error of this operation, and not of the
 * whole socket.
 */
export async function subscribeFresh(
  args: ExecutionArgs,
  { execute, onEnd, patiently = withoutLimit }: FreshOptions,
): Promise<AsyncIterableIterator<ExecutionResult> | ExecutionResult> {
  let open = true;
  const end = () => {
    if (open) onEnd();
    open = false;
  };
  const source = await patiently(() => createSourceEventStream(args)).catch((error: unknown) => ({
    errors: [asGraphQLError(error)],
  }));
  if (!isAsyncIterable(source)) {
    end();
    return source;
  }
  const events = source[Symbol.asyncIterator]();
  const ended: IteratorResult<ExecutionResult> = { done: true, value: undefined };

  const results: AsyncIterableIterator<ExecutionResult> = {
    async next() {
      try {
        const event = await patiently(() => events.next());
        if (open && event.done !== true) {
          const contextValue = contextOfNextEvent(args.contextValue as RequestContext);
          return { done: false, value: await execute({ ...args, rootValue: event.value, contextValue }) };
        }
      } catch (error) {
        end();
        throw error;
      }
      end();
      return ended;
    },
    async return() {
      end();
      await events.return?.();
      return ended;
    },
    [Symbol.asyncIterator]() {
      return results;
    },
  };
  return results;
}

function asGraphQLError(error: unknown): GraphQLError {
  const originalError = error instanceof Error ? error : new Error(String(error));
  return new GraphQLError(originalError.message, { originalError });
}

function isAsyncIterable(value: AsyncIterable<unknown> | ExecutionResult): value is AsyncIterable<unknown> {
  return Symbol.asyncIterator in value;
}
