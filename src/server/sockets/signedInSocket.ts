import { CloseCode } from 'graphql-ws';
import type { WebSocket } from 'ws';
import type { Authenticate, Credential } from '../authenticate.js';
import { signIn, type SignedIn } from '../signIn.js';
import type { SignInChanges } from '../signInChanges.js';
import { hasRole, type Viewer } from '../viewer.js';

export type SignedInSocketOptions = {
  readonly authenticate: Authenticate;
  readonly changes: SignInChanges;
  readonly now: () => Date;
};

/** `setTimeout` of Node waits at most this long. */
const longestTimerMs = 2 ** 31 - 1;

/**
 * The caller of an open WebSocket, with the rights that the caller has now. The socket is closed with 4403 and a reason when
 * the credential expires, is revoked, or loses a right: its subscriptions could otherwise send what is no longer visible. A
 * right that is added applies to the operations that start afterwards.
 */
export class SignedInSocket {
  #signedIn: SignedIn;
  #timer: NodeJS.Timeout | undefined;
  #isClosed = false;
  readonly #unsubscribe: () => void;

  private constructor(
    private readonly socket: WebSocket,
    private readonly credential: Credential,
    signedIn: SignedIn,
    private readonly options: SignedInSocketOptions,
  ) {
    this.#signedIn = signedIn;
    this.#unsubscribe = options.changes.subscribe(signedIn.viewer.subject, () => void this.#checkAgain());
    this.#waitForExpiry();
  }

  /** Undefined if the credential is not valid. */
  static async open(
    socket: WebSocket,
    credential: Credential,
    options: SignedInSocketOptions,
  ): Promise<SignedInSocket | undefined> {
    const before = options.changes.reported;
    const signedIn = await signIn(options.authenticate, credential);
    if (signedIn === undefined) return undefined;
    const opened = new SignedInSocket(socket, credential, signedIn, options);
    // The change of this caller may have been reported before the socket listened.
    if (options.changes.reported !== before) await opened.#checkAgain();
    return opened;
  }

  get current(): SignedIn {
    return this.#signedIn;
  }

  /** Idempotent. */
  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    this.#unsubscribe();
  }

  async #checkAgain(): Promise<void> {
    let signedIn: SignedIn | undefined;
    try {
      signedIn = await signIn(this.options.authenticate, this.credential);
    } catch {
      this.#end(1013, 'Try again later: the rights cannot be checked');
      return;
    }
    if (signedIn === undefined) this.#end(CloseCode.Forbidden, 'Forbidden: the sign-in has ended');
    else if (!includesRights(signedIn.viewer, this.#signedIn.viewer)) {
      this.#end(CloseCode.Forbidden, 'Forbidden: the rights were reduced');
    } else {
      this.#signedIn = signedIn;
      this.#waitForExpiry();
    }
  }

  #waitForExpiry(): void {
    clearTimeout(this.#timer);
    const { expiresAt } = this.#signedIn;
    if (expiresAt === null || this.#isClosed) return;
    const restMs = expiresAt.getTime() - this.options.now().getTime();
    if (restMs <= 0) this.#end(CloseCode.Forbidden, 'Forbidden: the sign-in has expired');
    else this.#timer = setTimeout(() => this.#waitForExpiry(), Math.min(restMs, longestTimerMs));
  }

  #end(code: number, reason: string): void {
    if (this.#isClosed) return;
    this.close();
    this.socket.close(code, reason);
  }
}

/** Whether the rights include all rights of before. */
function includesRights(now: Viewer, before: Viewer): boolean {
  if (before.grants === 'ALL') return now.grants === 'ALL';
  return before.grants.every(({ projectId, serviceId, role }) => hasRole(now.roleFor(projectId, serviceId), role));
}
