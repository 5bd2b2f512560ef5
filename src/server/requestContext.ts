import type { EventMetadata } from '../eventSourcing/event.js';
import { Loaders } from './loaders.js';
import type { Viewer } from './viewer.js';

/** What every resolver gets as its context: `@Ctx() context: RequestContext`. */
export type RequestContext = {
  readonly viewer: Viewer;
  /** The same for everything that this request sets in motion; what INTERNAL errors are looked up by in the log. */
  readonly correlationId: string;
  readonly clientAddress: string | undefined;
  readonly loaders: Loaders;
};

/** The same request with nothing remembered: each event of a subscription is executed with its own. */
export function withFreshLoaders(context: RequestContext): RequestContext {
  return { ...context, loaders: new Loaders() };
}

/** Who caused the events of this request, as the event store keeps it. */
export function eventMetadata(context: RequestContext, commandId?: string | null): EventMetadata {
  return {
    actor: context.viewer.subject,
    correlationId: context.correlationId,
    ...(commandId === undefined || commandId === null ? {} : { commandId }),
    ...(context.clientAddress === undefined ? {} : { clientAddress: context.clientAddress }),
  };
}
