import type { EntityManager } from 'typeorm';
import type { StreamEvent } from './event.js';

/**
 * A read model kept in the transaction that appends the events. A function of events alone: it uses neither clock,
 * position nor recording time, so that a rebuild gives the same bytes.
 */
export interface Projection {
  readonly name: string;
  /** The tables it owns, which a rebuild fills anew. No other projection writes them. */
  readonly tables: readonly string[];
  readonly streamTypes: readonly string[];
  apply(event: StreamEvent, manager: EntityManager): Promise<void>;
}
