import type { EventMetadata } from '../eventSourcing/event.js';
import type { AnswerBudget } from './budget/answerBudget.js';
import { Loaders } from './loaders.js';
import type { Viewer } from './viewer.js';

/** The context of every resolver: `@Ctx() context: RequestContext`. */
export type RequestContext = {
  readonly viewer: Viewer;
  /** The id of everything that this request causes. With it a person finds an INTERNAL error in the log. */
  readonly correlationId: string;
  readonly clientAddress: string | undefined;
  readonly loaders: Loaders;
  /** The limits of the answer. */
  readonly budget: AnswerBudget;
};

/** The context of the next event of a subscription: each event is executed with its own loaders and its own budget. */
export function contextOfNextEvent(context: RequestContext): RequestContext {
  return { ...context, loaders: new Loaders(), budget: context.budget.next() };
}

/** The metadata of the events that an operation of this request causes. */
export function eventMetadata(context: RequestContext, operation: string, commandId?: string | null): EventMetadata {
  const { viewer, correlationId } = context;
  return {
    actor: viewer.subject,
    actorKind: viewer.kind,
    actorName: viewer.name ?? viewer.sub,
    operation,
    correlationId,
    ...(commandId === undefined || commandId === null ? {} : { commandId }),
    ...(context.clientAddress === undefined ? {} : { clientAddress: context.clientAddress }),
  };
}
