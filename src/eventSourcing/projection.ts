import type { EntityManager } from 'typeorm';
import type { StreamEvent } from './event.js';

/**
 * A read model that is written in the transaction that appends the events. It depends only on events, and uses no
 * clock, position or recording time, so that a rebuild returns the same rows.
 */
export interface Projection {
  readonly name: string;
  /** Only this projection writes these tables. A rebuild replaces their rows. */
  readonly tables: readonly string[];
  readonly streamTypes: readonly string[];
  apply(event: StreamEvent, manager: EntityManager): Promise<void>;
}
