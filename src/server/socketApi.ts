import { randomUUID } from 'node:crypto';
import { STATUS_CODES, type IncomingMessage, type Server as HttpServer } from 'node:http';
import type { Duplex } from 'node:stream';
import type { GraphQLSchema } from 'graphql';
import { handleProtocols } from 'graphql-ws';
import { CloseCode } from 'graphql-ws';
import { WebSocketServer, type RawData, type WebSocket } from 'ws';
import { apiError, type ErrorLog } from './apiError.js';
import type { AuditReports } from './auditReports.js';
import type { Authenticate } from './authenticate.js';
import type { BrowserSignIn } from './browserSignIn.js';
import { clientAddressOf, identifyClient } from './client/clientOf.js';
import type { TrustedProxies } from './client/trustedProxies.js';
import type { Shares } from './fairness/shares.js';
import { hasTooManyLevels } from './jsonLevels.js';
import type { ServerMetrics } from './metrics.js';
import type { Patiently } from './patiently.js';
import type { PendingConnections } from './pendingConnections.js';
import type { SignInChanges } from './signInChanges.js';
import type { SignInFailures } from './signInFailures.js';
import { limitUnfinished } from './sockets/limitUnfinished.js';
import { Outlet } from './sockets/outlet.js';
import { Pace, type PaceLimits } from './sockets/pace.js';
import { PendingSockets, type PendingLimits } from './sockets/pendingSockets.js';
import { socketProtocol, type OpenedSocket, type SocketProtocol } from './sockets/socketProtocol.js';

export type SocketLimits = PendingLimits &
  PaceLimits & {
    readonly maxMessageBytes: number;
    /** The time limit for connection_init. */
    readonly connectionInitMs: number;
    /** The time between two pings. A socket that has not answered by the next ping is terminated. */
    readonly pingMs: number;
  };

export type SocketApiOptions = SocketLimits & {
  readonly schema: GraphQLSchema;
  readonly authenticate: Authenticate;
  readonly changes: SignInChanges;
  /** The clock by which credentials expire. */
  readonly now: () => Date;
  readonly browsers?: Pick<BrowserSignIn, 'credential'>;
  readonly log: ErrorLog;
  readonly metrics: ServerMetrics;
  readonly shares: Shares;
  readonly signInFailures: SignInFailures;
  readonly connections: Pick<PendingConnections, 'release'>;
  readonly patiently?: Patiently;
  readonly proxies: TrustedProxies;
  readonly reports: AuditReports;
  /** The path of the URL that upgrades. Other paths get 404. */
  readonly path: string;
};

export type SocketApi = {
  /** Ends every subscription and closes every socket with 1001. */
  goAway(): void;
  /** Terminates the sockets that did not close. */
  terminate(): void;
};

/** How long a client may take to answer the closing of its socket. */
const closeTimeout = 3_000;

/**
 * GraphQL over WebSocket with the protocol graphql-transport-ws. connection_init carries `authorization`, with or
 * without "Bearer ", or a page of this server has opened it in a browser with a session. Otherwise the socket is closed
 * with 4401, with a wrong token with 4403. It is also closed with 4403 when the sign-in ends or loses a right.
 *
 * Before its sign-in a socket may send a few kilobytes within a few seconds, and the number of such sockets is limited
 * in total and for each address: a further socket gets the status 503. After the sign-in, the messages of each socket
 * are handled at a limited rate, and no answers are produced for a client that leaves too much unread. So a client that
 * sends too fast or reads too slowly delays only itself.
 */
export function socketApi(server: HttpServer, options: SocketApiOptions): SocketApi {
  const { metrics } = options;
  const settings = {
    noServer: true,
    maxPayload: options.maxMessageBytes,
    perMessageDeflate: false,
    handleProtocols,
    // Each message has its own turn in the event loop. Otherwise a packet with thousands of messages would block the
    // loop.
    allowSynchronousEvents: false,
    closeTimeout,
  };
  const sockets = new WebSocketServer(settings);
  const pending = new PendingSockets(options);
  const protocol = socketProtocol(options);

  server.on('upgrade', (request: IncomingMessage, stream: Duplex, head: Buffer) => {
    // The client has closed the connection before the answer.
    stream.on('error', () => stream.destroy());
    identifyClient(request, options.proxies);
    const [path] = (request.url ?? '').split('?');
    if (path !== options.path) {
      refuse(stream, 404);
      return;
    }
    const leave = pending.enter(clientAddressOf(request));
    if (leave === undefined) {
      metrics.refusedSockets.inc({ reason: 'before_sign_in' });
      refuse(stream, 503, 'Retry-After: 5\r\n');
      return;
    }
    stream.once('close', leave);
    options.connections.release(request.socket);
    sockets.handleUpgrade(request, stream, head, (socket) => {
      const { maxMessageBytes, shares } = options;
      const endLimit = limitUnfinished(socket, stream, { maxMessageBytes, unfinished: shares.unfinished });
      const onSignIn = (viewerKey: string) => {
        endLimit(viewerKey);
        leave();
      };
      serveSocket(socket, { request, clientAddress: clientAddressOf(request), onSignIn }, protocol, options);
    });
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

function refuse(stream: Duplex, status: number, headers = ''): void {
  stream.end(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nConnection: close\r\n${headers}Content-Length: 0\r\n\r\n`);
}

function serveSocket(
  socket: WebSocket,
  opened: Pick<OpenedSocket, 'clientAddress' | 'onSignIn' | 'request'>,
  protocol: SocketProtocol,
  { metrics, shares, pingMs, log, ...limits }: SocketApiOptions,
): void {
  metrics.sockets.inc();
  const fail = (error: unknown) => {
    apiError(error, randomUUID(), log);
    socket.close(CloseCode.InternalServerError, 'Internal server error');
  };
  const outlet = new Outlet(socket, shares.queued);
  const keptAlive = keepAlive(socket, pingMs);
  let handle: (text: string) => Promise<void> = () => Promise.resolve();
  const pace = new Pace(
    socket,
    limits,
    () => outlet.hasRead(),
    (text) => void handle(text).catch(fail),
  );
  const closed = protocol.opened(
    {
      protocol: socket.protocol,
      send: (data) => outlet.send(data),
      close: (code, reason) => socket.close(code, reason),
      onMessage: (handler) => (handle = handler),
    },
    { socket, outlet, ...opened },
  );
  socket.on('message', (data: RawData) => {
    keptAlive.isAlive();
    const text = textOf(data);
    if (hasTooManyLevels(Buffer.from(text))) socket.close(CloseCode.BadRequest, 'The message has too many levels.');
    else pace.take(text);
  });
  // After a broken or too large frame, ws closes the socket with the right code, and emits 'close'.
  socket.on('error', () => undefined);
  socket.once('close', (code, reason) => {
    keptAlive.stop();
    pace.stop();
    metrics.sockets.dec();
    void closed(code, reason.toString()).catch(fail);
  });
}

function keepAlive(socket: WebSocket, pingMs: number): { isAlive(): void; stop(): void } {
  let answered = true;
  const isAlive = () => {
    answered = true;
  };
  socket.on('pong', isAlive);
  const timer = setInterval(() => {
    // We do not read this socket now, because another client of its viewer has too much unread. So we cannot see its
    // pong.
    const isSeen = !socket.isPaused || socket.bufferedAmount > 0;
    if (isSeen && !answered) socket.terminate();
    else if (socket.readyState === socket.OPEN) {
      answered = !isSeen;
      socket.ping();
    }
  }, pingMs);
  return { isAlive, stop: () => clearInterval(timer) };
}

function textOf(data: RawData): string {
  if (Array.isArray(data)) return Buffer.concat(data).toString();
  return Buffer.isBuffer(data) ? data.toString() : Buffer.from(data).toString();
}
