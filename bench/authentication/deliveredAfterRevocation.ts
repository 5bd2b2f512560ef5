import { setTimeout as pause } from 'node:timers/promises';
import { createClient } from 'graphql-ws';
import { WebSocket } from 'ws';

export type AfterRevocation = {
  /** The time from the answer of the revocation until the last event arrived. 0: the last one arrived before. */
  readonly lastEventMs: number;
  /** The time until the socket was closed. */
  readonly closedMs: number;
  /** The events that arrived before the revocation. */
  readonly eventsBefore: number;
};

/** Follows the events of a project at `url` with a token, while `cause` causes events, and revokes the token. */
export async function deliveredAfterRevocation(
  url: string,
  token: string,
  { cause, revoke }: { readonly cause: () => Promise<unknown>; readonly revoke: () => Promise<unknown> },
): Promise<AfterRevocation> {
  const arrived: number[] = [];
  const socket = { isOpen: true };
  const client = createClient({
    url: `${url.replace('http', 'ws')}/graphql`,
    webSocketImpl: WebSocket,
    retryAttempts: 0,
    connectionParams: { authorization: token },
  });
  const closed = (async () => {
    try {
      for await (const _ of client.iterate({ query: 'subscription { events { id } }' }))
        arrived.push(performance.now());
    } catch {
      // The server closes the socket with 4403.
    }
    socket.isOpen = false;
    return performance.now();
  })();
  const causing = (async () => {
    while (socket.isOpen) {
      await cause();
      await pause(20);
    }
  })();
  while (arrived.length < 20) await pause(20);
  await revoke();
  const revokedAt = performance.now();
  const closedAt = await closed;
  await causing;
  return {
    lastEventMs: Math.max(0, Math.max(...arrived) - revokedAt),
    closedMs: Math.max(0, closedAt - revokedAt),
    eventsBefore: arrived.filter((at) => at < revokedAt).length,
  };
}
