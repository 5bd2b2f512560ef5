import { randomUUID } from 'node:crypto';
import type { IncomingMessage, Server as HttpServer } from 'node:http';
import type { Duplex } from 'node:stream';
import type { ExecutionArgs, GraphQLSchema } from 'graphql';
import { execute, getOperationAST, GraphQLError, parse } from 'graphql';
import { CloseCode, handleProtocols, makeServer, type Context, type SubscribePayload } from 'graphql-ws';
import { WebSocketServer, type RawData, type WebSocket } from 'ws';
import { StowageError } from '../errors.js';
import { apiError, type ErrorLog } from './apiError.js';
import { bearerToken, type Authenticate } from './authenticate.js';
import { checkOperation } from './checkOperation.js';
import { Loaders } from './loaders.js';
import type { ServerMetrics } from './metrics.js';
import { operationLimits } from './operationLimits.js';
import { withoutLimit, type Patiently } from './patiently.js';
import type { RequestContext } from './requestContext.js';
import type { SignInFailures } from './signInFailures.js';
import { subscribeFresh } from './subscribeFresh.js';
import type { Viewer } from './viewer.js';

export type SocketApiOptions = {
  readonly schema: GraphQLSchema;
  readonly authenticate: Authenticate;
  readonly log: ErrorLog;
  readonly metrics: ServerMetrics;
  readonly signInFailures: SignInFailures;
  readonly patiently?: Patiently;
  /** The path of the URL that upgrades. Other paths get 404. */
  readonly path: string;
  readonly maxMessageBytes: number;
  /** The time limit for connection_init. */
  readonly connectionInitMs: number;
  /** The time between two pings. A socket that has not answered by the next ping is terminated. */
  readonly pingMs: number;
};

export type SocketApi = {
  /** Ends every subscription and closes every socket with 1001. */
  goAway(): void;
  /** Terminates the sockets that did not close. */
  terminate(): void;
};

/** If a client sends a message while more bytes than this wait to be sent to it, its socket is terminated. */
const mostUnsentBytes = 4_194_304;
const mostOperationsAtOnce = 100;

type Extra = {
  readonly socket: WebSocket;
  readonly clientAddress: string | undefined;
  viewer: Viewer | undefined;
  /** By the id of the operation. */
  readonly correlationIds: Map<string, string>;
};
type Connection = Context<Record<string, unknown>, Extra>;

/**
 * GraphQL over WebSocket with the protocol graphql-transport-ws. connection_init carries `authorization`, with or without
 * "Bearer ". Without a token the socket is closed with 4401, with a wrong token with 4403.
 *
 * The next event of a subscription is read only after the previous one was sent to the network. So a client that does not
 * read costs the memory of one event for each subscription, and of its mailbox.
 */
export function socketApi(server: HttpServer, options: SocketApiOptions): SocketApi {
  const sockets = new WebSocketServer({
    noServer: true,
    maxPayload: options.maxMessageBytes,
    perMessageDeflate: false,
    handleProtocols,
  });
  const protocol = protocolServer(options);

  server.on('upgrade', (request: IncomingMessage, stream: Duplex, head: Buffer) => {
    // The client has closed the connection before the answer.
    stream.on('error', () => stream.destroy());
    const [path] = (request.url ?? '').split('?');
    if (path !== options.path) {
      stream.end('HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 0\r\n\r\n');
      return;
    }
    sockets.handleUpgrade(request, stream, head, (socket) => serveSocket(socket, request, protocol, options));
  });

  return {
    goAway() {
      for (const socket of sockets.clients) socket.close(1001, 'Going away');
    },
    terminate() {
      for (const socket of sockets.clients) socket.terminate();
    },
  };
}

function serveSocket(
  socket: WebSocket,
  request: IncomingMessage,
  protocol: ReturnType<typeof protocolServer>,
  { metrics, pingMs, log }: SocketApiOptions,
): void {
  metrics.sockets.inc();
  const stopPinging = keepAlive(socket, pingMs);
  const fail = (error: unknown) => {
    apiError(error, randomUUID(), log);
    socket.close(CloseCode.InternalServerError, 'Internal server error');
  };
  const closed = protocol.opened(
    {
      protocol: socket.protocol,
      send: (data) => sendFrame(socket, data),
      close: (code, reason) => socket.close(code, reason),
      onMessage: (handle) => {
        socket.on('message', (data: RawData) => {
          if (socket.bufferedAmount > mostUnsentBytes) socket.terminate();
          else void handle(textOf(data)).catch(fail);
        });
      },
    },
    { socket, clientAddress: request.socket.remoteAddress, viewer: undefined, correlationIds: new Map() },
  );
  // After a broken frame, or one that is too large, ws closes with the right code, and 'close' follows.
  socket.on('error', () => undefined);
  socket.once('close', (code, reason) => {
    stopPinging();
    metrics.sockets.dec();
    void closed(code, reason.toString()).catch(fail);
  });
}

function protocolServer(options: SocketApiOptions) {
  const { schema, authenticate, log, metrics, connectionInitMs, signInFailures, patiently = withoutLimit } = options;
  const failed = async (extra: Extra) => {
    metrics.failedSignIns.inc({ transport: 'websocket' });
    await signInFailures.failed(extra.clientAddress);
  };
  const answer = (connection: Connection, id: string, errors: readonly unknown[]) =>
    errors.map((error) => apiError(error, connection.extra.correlationIds.get(id) ?? randomUUID(), log));

  return makeServer<Record<string, unknown>, Extra>({
    connectionInitWaitTimeout: connectionInitMs,
    async onConnect({ connectionParams, extra }) {
      const token = bearerToken(connectionParams?.['authorization'] ?? connectionParams?.['Authorization'], 'OPTIONAL');
      if (token === undefined) {
        await failed(extra);
        extra.socket.close(CloseCode.Unauthorized, 'Unauthorized: connection_init carries no authorization');
        return false;
      }
      extra.viewer = await patiently(() => authenticate(token));
      if (extra.viewer === undefined) await failed(extra);
      return extra.viewer !== undefined; // false: 4403
    },
    onSubscribe({ extra, subscriptions }, id, payload) {
      extra.correlationIds.set(id, randomUUID());
      if (Object.keys(subscriptions).length > mostOperationsAtOnce) {
        const message = `One WebSocket runs at most ${mostOperationsAtOnce} operations at once.`;
        return [wrap(new StowageError('TOO_COMPLEX', message, { help: 'End some, or open another WebSocket.' }))];
      }
      const { operation, errors, args } = prepare(schema, payload, () => contextOf(extra, id));
      const outcome = args === undefined ? 'refused' : 'executed';
      metrics.operations.inc({ kind: operation, transport: 'websocket', outcome });
      return args ?? errors;
    },
    execute: (args) => patiently(() => execute(args)),
    subscribe(args) {
      metrics.subscriptions.inc();
      return subscribeFresh(args, () => metrics.subscriptions.dec(), patiently);
    },
    onNext(connection, id, _payload, _args, result) {
      const { errors, data } = result;
      if (errors === undefined) return;
      return { errors: answer(connection, id, errors), ...(data === undefined ? {} : { data }) };
    },
    onError(connection, id, _payload, errors) {
      const answers = answer(connection, id, errors);
      connection.extra.correlationIds.delete(id);
      return answers;
    },
    onComplete({ extra }, id) {
      extra.correlationIds.delete(id);
    },
  });
}

type Prepared = {
  readonly operation: string;
  readonly errors: readonly GraphQLError[];
  /** Absent if there are errors. */
  readonly args?: ExecutionArgs;
};

function prepare(schema: GraphQLSchema, payload: SubscribePayload, context: () => RequestContext): Prepared {
  const { operationName, variables } = payload;
  let document;
  try {
    document = parse(payload.query, { maxLexicalTokens: operationLimits.tokens });
  } catch (error) {
    return { operation: 'none', errors: [error instanceof GraphQLError ? error : wrap(error)] };
  }
  const operation = getOperationAST(document, operationName)?.operation ?? 'none';
  const errors = checkOperation(schema, { document, operationName, variables });
  if (errors.length > 0) return { operation, errors };
  const contextValue = context();
  const args = {
    schema,
    document,
    operationName: operationName ?? null,
    variableValues: variables ?? {},
    contextValue,
  };
  return { operation, errors, args };
}

function contextOf(extra: Extra, id: string): RequestContext {
  if (extra.viewer === undefined) throw new Error('An operation came before the sign-in.');
  const correlationId = extra.correlationIds.get(id) ?? randomUUID();
  return { viewer: extra.viewer, correlationId, clientAddress: extra.clientAddress, loaders: new Loaders() };
}

function wrap(error: unknown): GraphQLError {
  const originalError = error instanceof Error ? error : new Error(String(error));
  return new GraphQLError(originalError.message, { originalError });
}

/** Resolves when the frame was sent to the network. So it resolves late if the client reads slowly. */
function sendFrame(socket: WebSocket, data: string): Promise<void> {
  return new Promise((resolve) => {
    if (socket.readyState !== socket.OPEN) resolve();
    // An error means that the socket is closed. Its 'close' event ends the operations on it.
    else socket.send(data, () => resolve());
  });
}

function keepAlive(socket: WebSocket, pingMs: number): () => void {
  let answered = true;
  socket.on('pong', () => (answered = true));
  const timer = setInterval(() => {
    if (!answered) socket.terminate();
    else if (socket.readyState === socket.OPEN) {
      answered = false;
      socket.ping();
    }
  }, pingMs);
  return () => clearInterval(timer);
}

function textOf(data: RawData): string {
  if (Array.isArray(data)) return Buffer.concat(data).toString();
  return Buffer.isBuffer(data) ? data.toString() : Buffer.from(data).toString();
}
