import type { ExecutionArgs, ExecutionResult } from 'graphql';
import { createSourceEventStream, execute, GraphQLError } from 'graphql';
import { withoutLimit, type Patiently } from './patiently.js';
import { withFreshLoaders, type RequestContext } from './requestContext.js';

/**
 * Runs a subscription and executes every event with new loaders. With `subscribe` of graphql-js the loaders would live as
 * long as the subscription and return the values of its first event. The next event is read from the source only when the
 * reader asks for it.
 *
 * `onEnd` is called once: when the source has ended or failed, or when the reader has left. An exception of a `subscribe`
 * function is the error of this operation, and not of the whole socket. `patiently` runs each read of the source and each
 * execution.
 */
export async function subscribeFresh(
  args: ExecutionArgs,
  onEnd: () => void,
  patiently: Patiently = withoutLimit,
): Promise<AsyncIterableIterator<ExecutionResult> | ExecutionResult> {
  const source = await patiently(() => createSourceEventStream(args)).catch((error: unknown) => ({
    errors: [asGraphQLError(error)],
  }));
  if (!isAsyncIterable(source)) {
    onEnd();
    return source;
  }
  const events = source[Symbol.asyncIterator]();
  const ended: IteratorResult<ExecutionResult> = { done: true, value: undefined };
  let open = true;
  const end = () => {
    if (open) onEnd();
    open = false;
  };

  const results: AsyncIterableIterator<ExecutionResult> = {
    async next() {
      try {
        const event = await patiently(() => events.next());
        if (open && event.done !== true) {
          const contextValue = withFreshLoaders(args.contextValue as RequestContext);
          return {
            done: false,
            value: await patiently(() => execute({ ...args, rootValue: event.value, contextValue })),
          };
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
