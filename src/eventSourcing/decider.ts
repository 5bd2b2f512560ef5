import type { DomainEvent } from './event.js';

/**
 * The pure heart of a slice: which events follow from a command in a state, and what an event makes of a state.
 * `decide` throws a StowageError to refuse and returns no event where there is nothing to do. Clock and ids come in
 * with the command.
 */
export interface Decider<State, Command, Event extends DomainEvent> {
  readonly streamType: string;
  readonly initial: State;
  decide(command: Command, state: State): readonly Event[];
  evolve(state: State, event: Event): State;
  /** The schema version that is written today, by event type. Absent: 1. */
  readonly schemaVersions?: Readonly<Record<string, number>>;
  /** Turns the stored data of an older schema version into the next one. Keyed by `<type>@<version it reads>`. */
  readonly upcasters?: Readonly<Record<string, (data: Record<string, unknown>) => Record<string, unknown>>>;
}

// A decider of anything: used where streams of all slices pass through.
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
