import type { IncomingMessage } from 'node:http';
import { CloseCode } from 'graphql-ws';
import type { WebSocket } from 'ws';
import { StowageError } from '../../errors.js';
import type { AuditReports } from '../auditReports.js';
import { credentialOfPayload, type Authenticate, type Credential } from '../authenticate.js';
import type { BrowserSignIn } from '../browserSignIn.js';
import type { Shares } from '../fairness/shares.js';
import type { ServerMetrics } from '../metrics.js';
import type { Patiently } from '../patiently.js';
import type { SignInChanges } from '../signInChanges.js';
import type { SignInFailures } from '../signInFailures.js';
import type { Outlet } from './outlet.js';
import { SignedInSocket } from './signedInSocket.js';

const unauthorized = 'Unauthorized: connection_init carries no authorization, and the browser has no session here';

export type SocketSignInOptions = {
  readonly authenticate: Authenticate;
  /** Signs in a browser that sends no token. */
  readonly browsers?: Pick<BrowserSignIn, 'credential'>;
  readonly metrics: ServerMetrics;
  readonly shares: Shares;
  readonly signInFailures: SignInFailures;
  readonly patiently: Patiently;
  readonly changes: SignInChanges;
  readonly reports: AuditReports;
  readonly now: () => Date;
};

/** A socket that signs in, or has signed in. */
export type ConnectingSocket = {
  readonly socket: WebSocket;
  readonly outlet: Outlet;
  readonly clientAddress: string | undefined;
  /** The request that became the socket. */
  readonly request: IncomingMessage;
  /** Called once, when the client has signed in. */
  readonly onSignIn: (viewerKey: string) => void;
  signedIn: SignedInSocket | undefined;
  /** Leaves the sockets of the viewer. */
  leave: () => void;
};

/** Answers `connection_init`. */
export class SocketSignIn {
  constructor(private readonly options: SocketSignInOptions) {}

  /** Whether the client may go on. If it may not, the socket is closed with a reason, or graphql-ws closes it with 4403. */
  async connect(connecting: ConnectingSocket, payload: Parameters<typeof credentialOfPayload>[0]): Promise<boolean> {
    const { socket, request } = connecting;
    const credential = credentialOfPayload(payload) ?? this.options.browsers?.credential(request);
    if (credential === undefined) {
      await this.#failed(connecting);
      socket.close(CloseCode.Unauthorized, unauthorized);
      return false;
    }
    let signedIn: SignedInSocket | undefined;
    try {
      signedIn = await this.options.patiently(() => SignedInSocket.open(socket, credential, this.options));
    } catch (error) {
      if (!(error instanceof StowageError)) throw error;
      const isWrong = error.code === 'BAD_INPUT';
      if (isWrong) socket.close(CloseCode.BadRequest, 'Bad request: connection_init is not valid');
      else socket.close(1013, 'Try again later: the sign-in cannot be checked');
      return false;
    }
    if (signedIn === undefined) {
      await this.#failed(connecting, credential);
      return false; // 4403
    }
    return this.#enter(connecting, signedIn);
  }

  /** False if the viewer has too many sockets. */
  #enter(connecting: ConnectingSocket, signedIn: SignedInSocket): boolean {
    const { metrics, shares } = this.options;
    const { socket, outlet } = connecting;
    const { key } = signedIn.current;
    const leave = shares.enterSocket(key);
    if (leave === undefined) {
      signedIn.close();
      metrics.refusedSockets.inc({ reason: 'viewer' });
      socket.close(1013, 'Try again later: too many sockets');
      return false;
    }
    connecting.leave = () => {
      signedIn.close();
      leave();
    };
    if (socket.readyState !== socket.OPEN) connecting.leave();
    connecting.signedIn = signedIn;
    outlet.belongsTo(key);
    connecting.onSignIn(key);
    return true;
  }

  async #failed({ clientAddress }: ConnectingSocket, credential?: Credential): Promise<void> {
    const { metrics, reports, signInFailures } = this.options;
    metrics.failedSignIns.inc({ transport: 'websocket' });
    if (credential !== undefined)
      reports.credentialRefused(clientAddress, 'The token or session of a WebSocket is not valid.');
    await signInFailures.failed(clientAddress, credential?.value);
  }
}
