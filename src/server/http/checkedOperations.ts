import { HeaderMap, type ApolloServerPlugin } from '@apollo/server';
import { OperationTypeNode, type GraphQLSchema, type OperationDefinitionNode } from 'graphql';
import { badInput, type StowageError } from '../../errors.js';
import { apiError, type ErrorLog } from '../apiError.js';
import { checkOperation } from '../checkOperation.js';
import type { KnownDocuments } from '../knownDocuments.js';
import type { ServerMetrics } from '../metrics.js';
import type { RequestContext } from '../requestContext.js';
import type { Answers } from './answers.js';

export type CheckedOperationsOptions = {
  readonly schema: GraphQLSchema;
  readonly log: ErrorLog;
  readonly metrics: ServerMetrics;
  /** Receives the correlation id of each error. */
  readonly correlationIds: WeakMap<object, string>;
  readonly known: KnownDocuments;
  readonly answers: Answers;
};

/** The plugin of Apollo Server that checks an operation, and executes it within its budget. */
export function checkedOperations({
  schema,
  log,
  metrics,
  correlationIds,
  known,
  answers,
}: CheckedOperationsOptions): ApolloServerPlugin<RequestContext> {
  return {
    requestDidStart: () =>
      Promise.resolve({
        didEncounterErrors({ errors, contextValue }) {
          for (const error of errors) correlationIds.set(error, contextValue.correlationId);
          return Promise.resolve();
        },
        responseForOperation({ document, operation, request, contextValue }) {
          // Apollo Server's type is wrong here: the document may have no operation of that name.
          const kind = (operation as OperationDefinitionNode | undefined)?.operation ?? 'none';
          const { operationName, variables } = request;
          const errors =
            kind === OperationTypeNode.SUBSCRIPTION
              ? [overWebSocketOnly()]
              : checkOperation(schema, { document, operationName, variables }, known);
          metrics.operations.inc({ kind, transport: 'http', outcome: errors.length > 0 ? 'refused' : 'executed' });
          if (errors.length === 0) {
            return answers.execute({ schema, document, operationName, variableValues: variables, contextValue });
          }
          return Promise.resolve({
            http: { status: 400, headers: new HeaderMap() },
            body: {
              kind: 'single' as const,
              singleResult: { errors: errors.map((error) => apiError(error, contextValue.correlationId, log)) },
            },
          });
        },
      }),
  };
}

function overWebSocketOnly(): StowageError {
  const hint = 'Use the same URL with ws:// or wss:// and the protocol graphql-transport-ws.';
  return badInput([{ path: 'query', problem: 'is a subscription, which needs a WebSocket', hint }]);
}
