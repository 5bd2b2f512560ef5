import type { EventMetadata } from '../eventSourcing/event.js';
import { Loaders } from './loaders.js';
import type { Viewer } from './viewer.js';

/** The context of every resolver: `@Ctx() context: RequestContext`. */
export type RequestContext = {
  readonly viewer: Viewer;
  /** The id of everything that this request causes. It finds an INTERNAL error in the log. */
  readonly correlationId: string;
  readonly clientAddress: string | undefined;
  readonly loaders: Loaders;
};

/** The same request with new loaders. Each event of a subscription is executed with its own loaders. */
export function withFreshLoaders(context: RequestContext): RequestContext {
  return { ...context, loaders: new Loaders() };
}

/** The metadata of the events that this request causes. */
export function eventMetadata(context: RequestContext, commandId?: string | null): EventMetadata {
  return {
    actor: context.viewer.subject,
    correlationId: context.correlationId,
    ...(commandId === undefined || commandId === null ? {} : { commandId }),
    ...(context.clientAddress === undefined ? {} : { clientAddress: context.clientAddress }),
  };
}
