import type { GraphiQL } from 'graphiql';
import { Kind, OperationTypeNode, parse, type OperationDefinitionNode } from 'graphql';
import { createClient, type Client } from 'graphql-ws';
import type { ComponentProps } from 'react';

type Fetcher = ComponentProps<typeof GraphiQL>['fetcher'];
type Request = {
  readonly query: string;
  readonly operationName?: string | null;
  readonly variables?: Record<string, unknown>;
};

/** Sends queries and mutations by POST and subscriptions over a WebSocket, both with the token. */
export function fetcherWith(token: string): { readonly fetcher: Fetcher; close(): void } {
  let client: Client | undefined;
  const socket = () => {
    client ??= createClient({
      url: `${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}/graphql`,
      connectionParams: { authorization: `Bearer ${token}` },
      // A wrong token or an unreachable server is shown as an error, and not retried for ever.
      retryAttempts: 2,
    });
    return client;
  };

  const send = async ({ query, operationName, variables }: Request): Promise<object> => {
    const response = await fetch('/graphql', {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        accept: 'application/json',
        ...(token === '' ? {} : { authorization: `Bearer ${token}` }),
      },
      body: JSON.stringify({ query, operationName, variables }),
    });
    return (await response.json()) as object;
  };

  const follow = ({ query, operationName, variables }: Request) =>
    socket().iterate({ query, operationName: operationName ?? null, variables: variables ?? {} });

  // Both return JSON. GraphiQL's type requires the classes of graphql-js, but GraphiQL only displays the values.
  const fetcher = ((given: Request) => {
    const operations = operationsOf(given.query);
    const request = { ...given, operationName: chosenName(operations, given.operationName) };
    return isSubscription(operations, request.operationName) ? follow(request) : send(request);
  }) as unknown as Fetcher;
  return { fetcher, close: () => void client?.dispose() };
}

type Operations = readonly OperationDefinitionNode[];

function operationsOf(query: string): Operations {
  try {
    return parse(query).definitions.filter((definition) => definition.kind === Kind.OPERATION_DEFINITION);
  } catch {
    // A text that cannot be parsed is sent anyway, so that the server reports the problem.
    return [];
  }
}

/**
 * GraphiQL reads the operations of a text only after a pause in typing. Until then it sends the name of an operation
 * that may no longer exist. A text with a single operation needs no name.
 */
function chosenName(operations: Operations, name: string | null | undefined): string | null {
  return operations.length === 1 ? (operations[0]?.name?.value ?? null) : (name ?? null);
}

function isSubscription(operations: Operations, name: string | null): boolean {
  const chosen = operations.find((operation) => (operation.name?.value ?? null) === name);
  return chosen?.operation === OperationTypeNode.SUBSCRIPTION;
}
