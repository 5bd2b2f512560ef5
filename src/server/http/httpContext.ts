import { randomUUID } from 'node:crypto';
import type { Request, Response } from 'express';
import type { AnswerBudget } from '../budget/answerBudget.js';
import { clientAddressOf } from '../client/clientOf.js';
import { Usage } from '../fairness/usage.js';
import { Loaders } from '../loaders.js';
import type { RequestContext } from '../requestContext.js';
import type { SignedIn } from '../signIn.js';

/** The data of a request over HTTP, in addition to its context. */
export type HttpContext = RequestContext & {
  readonly viewerKey: string;
  /** Receives the function to call when the client has read the answer or has disconnected. */
  readonly onAnswer: (read: () => void) => void;
};

/** How much the clients of each connection have used. The key is the TCP connection. */
const usages = new WeakMap<object, Usage>();

export function usageOf({ socket }: Request): Usage {
  const usage = usages.get(socket) ?? new Usage();
  usages.set(socket, usage);
  return usage;
}

/** The time limit for a client that stops reading a long answer. */
const unreadAnswerMs = 60_000;

/** The context of a request whose caller has signed in. */
export function httpContext(
  { viewer, key }: SignedIn,
  budget: AnswerBudget,
  request: Request,
  response: Response,
): HttpContext {
  const { socket } = request;
  const giveUp = () => socket.destroy();
  let read: () => void = () => undefined;
  response.once('close', () => {
    // The connection may send many answers. It must keep no memory of this answer.
    socket.off('timeout', giveUp);
    budget.release();
    read();
  });
  return {
    viewer,
    correlationId: randomUUID(),
    clientAddress: clientAddressOf(request),
    loaders: new Loaders(),
    budget,
    viewerKey: key,
    onAnswer(whenRead) {
      read = whenRead;
      if (response.closed) whenRead();
      else if (budget.isLong) socket.setTimeout(unreadAnswerMs, giveUp);
    },
  };
}

/** The context that sign-in has stored. */
export function contextOf(response: Response): HttpContext {
  const { context } = response.locals as { context?: HttpContext };
  if (context === undefined) throw new Error('A request reached GraphQL without signing in.');
  return context;
}
