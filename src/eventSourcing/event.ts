/** A place in the log: positive, rising with every event of the installation. Clients see it as a decimal string. */
export type Position = bigint;

/** What a slice decides: something that happened, in the past tense, with all it needs to be read alone. Never a secret. */
export type DomainEvent = { readonly type: string; readonly data: object };

/** Who caused an event, and in the course of what. */
export type EventMetadata = {
  /** A subject (`installation`, a token, a person) or a part of the system (`scheduler`, `retention`, `worker:<id>`). */
  readonly actor: string;
  readonly commandId?: string;
  /** The same for everything that one request or one alarm set in motion. */
  readonly correlationId: string;
  /** The event that led to this one. */
  readonly causationId?: string;
  readonly clientAddress?: string;
};

/** An event that has its place in its stream, as projections see it. Position and recording time are not for them. */
export type StreamEvent<E extends DomainEvent = DomainEvent> = E & {
  readonly eventId: string;
  readonly streamId: string;
  readonly streamType: string;
  /** 1 for the first event of a stream, without gaps. */
  readonly version: number;
  readonly schemaVersion: number;
  readonly metadata: EventMetadata;
  readonly projectId: string;
};

/** An event as the log gives it back. */
export type RecordedEvent<E extends DomainEvent = DomainEvent> = StreamEvent<E> & {
  readonly position: Position;
  readonly recordedAt: Date;
};
