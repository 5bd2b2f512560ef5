/**
 * A position in the log. It is positive and increases with every event of the installation. The API shows it as a
 * string.
 */
export type Position = bigint;

/** Something that happened, named in the past tense. The data is complete without other events. It holds no secret. */
export type DomainEvent = { readonly type: string; readonly data: object };

/** The person or the part of the system that caused an event, and the request. */
export type EventMetadata = {
  /**
   * A subject (`installation`, a token, a person) or a part of the system (`scheduler`, `retention`, `worker:<id>`).
   */
  readonly actor: string;
  readonly commandId?: string;
  /** All events that follow from one request or one alarm have the same id. */
  readonly correlationId: string;
  /** The id of the event that caused this one. */
  readonly causationId?: string;
  readonly clientAddress?: string;
};

/** An event with its place in its stream, in the form that projections receive: without position and recording time. */
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

/** An event as it is read from the log. */
export type RecordedEvent<E extends DomainEvent = DomainEvent> = StreamEvent<E> & {
  readonly position: Position;
  readonly recordedAt: Date;
};
