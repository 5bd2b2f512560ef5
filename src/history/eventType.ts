import { Field, ID, Int, ObjectType } from 'type-graphql';
import type { Position, RecordedEvent } from '../eventSourcing/event.js';
import { connection } from '../server/connection.js';
import { Node } from '../server/node.js';
import { DateTime } from '../server/scalars/dateTime.js';
import { JsonScalar } from '../server/scalars/json.js';
import { PositionScalar } from '../server/scalars/position.js';
import { eventSummary } from './eventSummary.js';
import { publicData } from './publicData.js';

@ObjectType('Event', { implements: Node, description: 'An event of the log.' })
export class EventType extends Node {
  @Field(() => PositionScalar)
  readonly position!: Position;

  @Field(() => String, { description: 'In the past tense. New types may appear at any time.' })
  readonly type!: string;

  @Field(() => String, {
    description:
      'Project, Members (of the project), AccessToken, Service, FileEndpoint, BackupPlan, BackupJob, RestoreJob or Protection (of the service that is named in data).',
  })
  readonly streamType!: string;

  @Field(() => ID, { description: 'The id of the object that changed.' })
  readonly streamId!: string;

  @Field(() => Int, { description: 'The version of the object after this event.' })
  readonly version!: number;

  @Field(() => JsonScalar)
  readonly data!: unknown;

  @Field(() => String, { description: 'The caller of the API, or a part of the system.' })
  readonly actor!: string;

  @Field(() => ID, { nullable: true })
  readonly commandId!: string | null;

  @Field(() => ID, { nullable: true, description: 'All events of one request or one tick have the same id.' })
  readonly correlationId!: string | null;

  @Field(() => ID, { nullable: true, description: 'The id of the event that caused this one.' })
  readonly causationId!: string | null;

  @Field(() => DateTime)
  readonly recordedAt!: Date;

  @Field(() => String, { description: 'One sentence for users.' })
  readonly summary!: string;

  static of(event: RecordedEvent): EventType {
    const { eventId: id, position, type, streamType, streamId, version, recordedAt, metadata } = event;
    return Object.assign(new EventType(), {
      ...{ id, position, type, streamType, streamId, version, recordedAt, actor: metadata.actor },
      data: publicData(event.data),
      commandId: metadata.commandId ?? null,
      correlationId: metadata.correlationId,
      causationId: metadata.causationId ?? null,
      summary: eventSummary(event),
    });
  }
}

export const EventConnection = connection('Event', () => EventType);
