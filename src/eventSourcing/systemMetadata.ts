import type { ActorKind, EventMetadata } from './event.js';

/** The metadata of events that a part of the system causes by itself: `scheduler`, `retention`, `worker:<id>`. */
export function systemMetadata(
  actorKind: Extract<ActorKind, 'schedule' | 'worker'>,
  actor: string,
  correlationId: string = crypto.randomUUID(),
): EventMetadata {
  return { actor, actorKind, actorName: actor.replace(/^worker:/, ''), correlationId };
}
