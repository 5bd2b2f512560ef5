/**
 * A position in the log. It is positive and increases with every event of the installation. The API shows it as a
 * string.
 */
export type Position = bigint;

/** Something that happened, named in the past tense. The data is complete without other events. It holds no secret. */
export type DomainEvent = { readonly type: string; readonly data: object };

/** What caused an event. */
export const actorKinds = ['person', 'token', 'installation', 'schedule', 'worker'] as const;
export type ActorKind = (typeof actorKinds)[number];

/**
 * The person or the part of the system that caused an event, and the request. Stored metadata has no version: a new field
 * is optional, and no field ever changes or goes (`test/events/metadata`).
 */
export type EventMetadata = {
  /**
   * A subject (`installation`, a token, a person) or a part of the system (`scheduler`, `retention`, `worker:<id>`).
   */
  readonly actor: string;
  /** Absent in events of versions without it. */
  readonly actorKind?: ActorKind;
  /** The name of the actor at that time. It identifies nobody. Absent in events of versions without it. */
  readonly actorName?: string;
  /** The operation of the API, such as `holdBackup`. Absent if no client sent a request. */
  readonly operation?: string;
  readonly commandId?: string;
  /** All events that follow from one request or one alarm have the same id. */
  readonly correlationId: string;
  /** The id of the event that caused this one. */
  readonly causationId?: string;
  /** The address of the client, behind the trusted proxies. */
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
