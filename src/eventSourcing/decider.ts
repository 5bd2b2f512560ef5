import type { DomainEvent } from './event.js';

/**
 * The pure core of a slice. `decide` computes the events that follow from a command in a state, and `evolve` computes
 * the state after an event. `decide` throws a StowageError to refuse a command, and returns no event if there is
 * nothing to do. The command carries times and new ids.
 */
export interface Decider<State, Command, Event extends DomainEvent> {
  readonly streamType: string;
  readonly initial: State;
  decide(command: Command, state: State): readonly Event[];
  evolve(state: State, event: Event): State;
  /**
   * The schema version of the events that this program writes, by type. Absent: 1. Each has a file in
   * test/events/golden.
   */
  readonly schemaVersions?: Readonly<Record<string, number>>;
  /** Each entry converts stored data to the next schema version. The key is `<type>@<version that it reads>`. */
  readonly upcasters?: Readonly<Record<string, (data: Record<string, unknown>) => Record<string, unknown>>>;
}

// For code that handles streams of all slices.
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- state and command types are invariant; only evolve is called
export type AnyDecider = Decider<any, any, any>;

export function fold<State, Event extends DomainEvent>(
  decider: Pick<Decider<State, never, Event>, 'initial' | 'evolve'>,
  events: Iterable<Event>,
): State {
  let state = decider.initial;
  for (const event of events) state = decider.evolve(state, event);
  return state;
}
