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
import type { RequestContext } from './requestContext.js';
import { subscribeFresh } from './subscribeFresh.js';
import type { Viewer } from './viewer.js';

export type SocketApiOptions = {
  readonly schema: GraphQLSchema;
  readonly authenticate: Authenticate;
  readonly log: ErrorLog;
  readonly metrics: ServerMetrics;
  /** The path of the URL that upgrades; others are answered 404. */
  readonly path: string;
  readonly maxMessageBytes: number;
  /** How long a socket may stay without connection_init. */
  readonly connectionInitMs: number;
  /** How often a socket is pinged; one that has not answered by the next ping is ended. */
  readonly pingMs: number;
};

export type SocketApi = {
  /** Ends every subscription and closes every socket with 1001. */
  goAway(): void;
  /** Ends the sockets that did not close by themselves. */
  terminate(): void;
};

/** Answers on one socket may pile up to this many bytes while the client still sends; then it is ended. */
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
 * GraphQL over WebSocket, by the protocol graphql-transport-ws. connection_init carries `authorization`, with or
 * without "Bearer "; the socket is closed with 4401 without a token and with 4403 with a wrong one.
 *
 * The next event of a subscription is read only after the one before went out to the network, so that a client that
 * does not read costs one event of each subscription and what its mailbox holds.
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
    // A client that is gone before its answer: there is nobody to tell.
    stream.on('error', () => stream.destroy());
    const [path] = (request.url ?? '').split('?');
    if (path !== options.path) {
      stream.end('HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 0\r\n\r\n');
      return;
    }
    sockets.handleUpgrade(request, stream, head, (socket) => serve(socket, request));
  });

  function serve(socket: WebSocket, request: IncomingMessage): void {
    options.metrics.sockets.inc();
    const stopPinging = keepAlive(socket, options.pingMs);
    const extra: Extra = {
      socket,
      clientAddress: request.socket.remoteAddress,
      viewer: undefined,
      correlationIds: new Map(),
    };
    const closed = protocol.opened(
      {
        protocol: socket.protocol,
        send: (data) => sent(socket, data),
        close: (code, reason) => socket.close(code, reason),
        onMessage: (handle) => {
          socket.on('message', (data: RawData) => {
            if (socket.bufferedAmount > mostUnsentBytes) socket.terminate();
            else void handle(textOf(data)).catch((error: unknown) => fail(socket, error));
          });
        },
      },
      extra,
    );
    // A broken frame, or one that is too large: ws closes with the code that fits, and 'close' follows.
    socket.on('error', () => undefined);
    socket.once('close', (code, reason) => {
      stopPinging();
      options.metrics.sockets.dec();
      void closed(code, reason.toString()).catch((error: unknown) => fail(socket, error));
    });
  }

  function fail(socket: WebSocket, error: unknown): void {
    apiError(error, randomUUID(), options.log);
    socket.close(CloseCode.InternalServerError, 'Internal server error');
  }

  return {
    goAway() {
      for (const socket of sockets.clients) socket.close(1001, 'Going away');
    },
    terminate() {
      for (const socket of sockets.clients) socket.terminate();
    },
  };
}

function protocolServer({ schema, authenticate, log, metrics, connectionInitMs }: SocketApiOptions) {
  const answer = (connection: Connection, id: string, errors: readonly unknown[]) =>
    errors.map((error) => apiError(error, connection.extra.correlationIds.get(id) ?? randomUUID(), log));

  return makeServer<Record<string, unknown>, Extra>({
    connectionInitWaitTimeout: connectionInitMs,
    async onConnect({ connectionParams, extra }) {
      const token = bearerToken(connectionParams?.['authorization'] ?? connectionParams?.['Authorization'], 'OPTIONAL');
      if (token === undefined) {
        extra.socket.close(CloseCode.Unauthorized, 'Unauthorized: connection_init carries no authorization');
        return false;
      }
      extra.viewer = await authenticate(token);
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
    execute: (args) => execute(args),
    subscribe(args) {
      metrics.subscriptions.inc();
      return subscribeFresh(args, () => metrics.subscriptions.dec());
    },
    onNext(connection, id, _payload, _args, result) {
      const { errors, data } = result;
      if (errors === undefined) return;
      return { errors: answer(connection, id, errors), ...(data === undefined ? {} : { data }) };
    },
    onError(connection, id, _payload, errors) {
      const told = answer(connection, id, errors);
      connection.extra.correlationIds.delete(id);
      return told;
    },
    onComplete({ extra }, id) {
      extra.correlationIds.delete(id);
    },
  });
}

type Prepared = {
  readonly operation: string;
  readonly errors: readonly GraphQLError[];
  /** Absent where there are errors. */
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

/** Settles when the frame went out to the network: what waits for it, waits for a client that reads slowly. */
function sent(socket: WebSocket, data: string): Promise<void> {
  return new Promise((resolve) => {
    if (socket.readyState !== socket.OPEN) resolve();
    // An error means that the socket is gone; its 'close' ends what runs on it.
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
