import type { AnyDecider } from '../eventSourcing/decider.js';
import type { EventMetadata, RecordedEvent, StreamEvent } from '../eventSourcing/event.js';
import { upcast } from '../eventSourcing/upcasting.js';

/** A row of the table `events`. */
export type EventRow = {
  readonly position: string;
  readonly event_id: string;
  readonly stream_id: string;
  readonly stream_type: string;
  readonly version: number;
  readonly type: string;
  readonly schema_version: number;
  readonly data: Record<string, unknown>;
  readonly metadata: EventMetadata;
  readonly project_id: string;
  readonly recorded_at: Date;
};

export type Deciders = ReadonlyMap<string, AnyDecider>;

export function recordedEvent(row: EventRow, deciders: Deciders): RecordedEvent {
  const { schemaVersion, data } = upcast(deciders.get(row.stream_type), row.type, {
    schemaVersion: row.schema_version,
    data: row.data,
  });
  return {
    position: BigInt(row.position),
    eventId: row.event_id,
    streamId: row.stream_id,
    streamType: row.stream_type,
    version: row.version,
    type: row.type,
    schemaVersion,
    data,
    metadata: row.metadata,
    projectId: row.project_id,
    recordedAt: row.recorded_at,
  };
}

/** An event in the format that the function append_events reads. */
export function appendedEvent(event: StreamEvent) {
  return {
    event_id: event.eventId,
    stream_id: event.streamId,
    stream_type: event.streamType,
    version: event.version,
    type: event.type,
    schema_version: event.schemaVersion,
    data: event.data,
    metadata: event.metadata,
    project_id: event.projectId,
  };
}
