import { randomUUID } from 'node:crypto';
import type { ExecutionArgs, ExecutionResult, GraphQLSchema } from 'graphql';
import { getOperationAST, GraphQLError, OperationTypeNode, parse, type DocumentNode } from 'graphql';
import { makeServer, type Context, type Server, type SubscribePayload } from 'graphql-ws';
import { StowageError } from '../../errors.js';
import { apiError, type ErrorLog } from '../apiError.js';
import type { AnswerBudget } from '../budget/answerBudget.js';
import { executeWithinBudget } from '../budget/executeWithinBudget.js';
import { checkDocumentText } from '../checkDocumentText.js';
import { checkOperation } from '../checkOperation.js';
import type { Shares } from '../fairness/shares.js';
import { Usage } from '../fairness/usage.js';
import { KnownDocuments } from '../knownDocuments.js';
import { Loaders } from '../loaders.js';
import type { ServerMetrics } from '../metrics.js';
import { operationLimits } from '../operationLimits.js';
import { withoutLimit, type Patiently } from '../patiently.js';
import { refusalsIn } from '../refusals.js';
import type { RequestContext } from '../requestContext.js';
import { subscribeFresh } from '../subscribeFresh.js';
import type { Outlet } from './outlet.js';
import { SocketSignIn, type ConnectingSocket, type SocketSignInOptions } from './socketSignIn.js';

const mostOperationsAtOnce = 100;

export type SocketProtocolOptions = Omit<SocketSignInOptions, 'patiently'> & {
  readonly schema: GraphQLSchema;
  readonly log: ErrorLog;
  readonly patiently?: Patiently;
  readonly connectionInitMs: number;
};

/** A socket, as the protocol gets it. */
export type OpenedSocket = Omit<ConnectingSocket, 'signedIn' | 'leave'>;

export type SocketProtocol = {
  opened(
    socket: Parameters<Server<OpenedSocket>['opened']>[0],
    opened: OpenedSocket,
  ): (code?: number, reason?: string) => Promise<void>;
};

type Extra = ConnectingSocket & {
  /** Of the process, by this socket. */
  readonly usage: Usage;
  /** By the payload that began it: a client may reuse the id of an operation that it left while this still runs. */
  readonly operations: Map<SubscribePayload, Operation>;
};
type Operation = {
  readonly correlationId: string;
  budget?: AnswerBudget;
  /** The messages of a subscription. */
  messages?: AsyncIterableIterator<ExecutionResult>;
};
type Connection = Context<Record<string, unknown>, Extra>;
type SocketContext = RequestContext & {
  readonly operation: Operation;
  readonly outlet: Outlet;
  readonly viewerKey: string;
};

/** The protocol graphql-transport-ws on opened sockets, with sign-in, checks and limits. */
export function socketProtocol(options: SocketProtocolOptions): SocketProtocol {
  const protocol = protocolServer(options);
  return {
    opened(socket, opened) {
      const extra: Extra = {
        ...{ ...opened, signedIn: undefined, usage: new Usage(), operations: new Map() },
        leave: () => undefined,
      };
      const closed = protocol.opened(socket, extra);
      return async (code, reason) => {
        extra.leave();
        const running = [...extra.operations.values()];
        for (const { budget } of running) budget?.release();
        await closed(code, reason);
        // graphql-ws knows one operation of each id. Others may still run, because clients reuse ids.
        for (const { messages } of running) await messages?.return?.();
      };
    },
  };
}

function protocolServer(options: SocketProtocolOptions) {
  const { schema, metrics, shares, patiently = withoutLimit } = options;
  const signIn = new SocketSignIn({ ...options, patiently });
  const known = new KnownDocuments();

  return makeServer<Record<string, unknown>, Extra>({
    connectionInitWaitTimeout: options.connectionInitMs,
    onConnect: ({ connectionParams, extra }) => signIn.connect(extra, connectionParams),
    async onSubscribe(connection, id, payload) {
      const { extra } = connection;
      const operation: Operation = { correlationId: randomUUID() };
      extra.operations.set(payload, operation);
      if (extra.operations.size > mostOperationsAtOnce) {
        forgetIfLeft(connection, id, payload);
        const message = `One WebSocket runs at most ${mostOperationsAtOnce} operations at once.`;
        return [wrap(new StowageError('TOO_COMPLEX', message, { help: 'End some, or open another WebSocket.' }))];
      }
      const context = contextOf(extra, operation, shares);
      context.budget.payForRequest(payload.query.length);
      await context.budget.pause();
      const { kind, errors, args } = await prepare(schema, known, payload, context);
      metrics.operations.inc({ kind, transport: 'websocket', outcome: args === undefined ? 'refused' : 'executed' });
      if (args === undefined) forgetIfLeft(connection, id, payload);
      return args ?? errors;
    },
    execute: (args) => executeAtOutlet(args as SocketArgs, patiently),
    subscribe: (args) => subscribeInTurn(args as SocketArgs, metrics, patiently),
    onNext(connection, _id, payload, _args, result) {
      connection.extra.operations.get(payload)?.budget?.release();
      const { errors, data } = result;
      if (errors === undefined) return;
      return { errors: apiErrors(options, connection, payload, errors), ...(data === undefined ? {} : { data }) };
    },
    onError(connection, _id, payload, errors) {
      const answers = apiErrors(options, connection, payload, errors);
      forget(connection.extra, payload);
      return answers;
    },
    onComplete({ extra }, _id, payload) {
      forget(extra, payload);
    },
  });
}

/** The errors as the client gets them. Refusals are reported to the audit. */
function apiErrors(
  { log, reports }: SocketProtocolOptions,
  { extra }: Connection,
  payload: SubscribePayload,
  errors: readonly unknown[],
) {
  const { clientAddress, signedIn } = extra;
  const correlationId = extra.operations.get(payload)?.correlationId ?? randomUUID();
  const viewer = signedIn?.current.viewer;
  if (viewer !== undefined) {
    for (const refusal of refusalsIn(errors))
      reports.operationRefused({ viewer, clientAddress, correlationId }, refusal);
  }
  return errors.map((error) => apiError(error, correlationId, log));
}

function forget({ operations }: Extra, payload: SubscribePayload): void {
  operations.get(payload)?.budget?.release();
  operations.delete(payload);
}

/** graphql-ws does not call `onError` for an operation that the client has left. */
function forgetIfLeft({ extra, subscriptions }: Connection, id: string, payload: SubscribePayload): void {
  if (!(id in subscriptions)) forget(extra, payload);
}

type SocketArgs = ExecutionArgs & { readonly contextValue: SocketContext };

/** Executes a query or an event when there is room for its answer. A mutation never waits for room. */
async function executeAtOutlet(args: SocketArgs, patiently: Patiently) {
  const { operation, outlet, budget, viewerKey } = args.contextValue;
  const execute = () => patiently(() => executeWithinBudget(args), viewerKey);
  operation.budget = budget;
  if (getOperationAST(args.document, args.operationName)?.operation === OperationTypeNode.MUTATION) return execute();
  await outlet.begin();
  try {
    return await execute();
  } finally {
    outlet.end();
  }
}

/** Many subscriptions of one viewer do not start together, so that others can read from the database meanwhile. */
async function subscribeInTurn(args: SocketArgs, metrics: ServerMetrics, patiently: Patiently) {
  const { budget, operation, viewerKey } = args.contextValue;
  const leave = await budget.begin(OperationTypeNode.SUBSCRIPTION);
  metrics.subscriptions.inc();
  const messages = await subscribeFresh(args, {
    execute: (event) => executeAtOutlet(event as SocketArgs, patiently),
    onEnd: () => metrics.subscriptions.dec(),
    patiently: (work) => patiently(work, viewerKey),
  }).finally(leave);
  if (Symbol.asyncIterator in messages) operation.messages = messages;
  return messages;
}

type Prepared = {
  readonly kind: string;
  readonly errors: readonly GraphQLError[];
  /** Absent if there are errors. */
  readonly args?: ExecutionArgs;
};

async function prepare(
  schema: GraphQLSchema,
  known: KnownDocuments,
  { query, operationName, variables }: SubscribePayload,
  contextValue: SocketContext,
): Promise<Prepared> {
  let document: DocumentNode;
  try {
    document = (await known.get(query)) ?? parseNew(query);
  } catch (error) {
    return { kind: 'none', errors: [error instanceof GraphQLError ? error : wrap(error)] };
  }
  const kind = getOperationAST(document, operationName)?.operation ?? 'none';
  const errors = checkOperation(schema, { document, operationName, variables }, known);
  if (errors.length > 0) return { kind, errors };
  const variableValues = variables ?? {};
  return {
    kind,
    errors,
    args: { schema, document, operationName: operationName ?? null, variableValues, contextValue },
  };

  function parseNew(text: string): DocumentNode {
    checkDocumentText(text);
    const parsed = parse(text, { maxLexicalTokens: operationLimits.tokens });
    void known.set(text, parsed);
    return parsed;
  }
}

function contextOf(extra: Extra, operation: Operation, shares: Shares): SocketContext {
  const { signedIn, usage, outlet, clientAddress } = extra;
  if (signedIn === undefined) throw new Error('An operation came before the sign-in.');
  const { viewer, key } = signedIn.current;
  const { correlationId } = operation;
  const budget = shares.budgetOf(key, usage);
  return { viewer, correlationId, clientAddress, loaders: new Loaders(), budget, operation, outlet, viewerKey: key };
}

function wrap(error: unknown): GraphQLError {
  const originalError = error instanceof Error ? error : new Error(String(error));
  return new GraphQLError(originalError.message, { originalError });
}
