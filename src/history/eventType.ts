import { Ctx, Field, ID, Int, ObjectType } from 'type-graphql';
import { actorKinds, type ActorKind, type Position, type RecordedEvent } from '../eventSourcing/event.js';
import { connection } from '../server/connection.js';
import { enumType } from '../server/enumType.js';
import { Node } from '../server/node.js';
import type { RequestContext } from '../server/requestContext.js';
import { DateTime } from '../server/scalars/dateTime.js';
import { JsonScalar } from '../server/scalars/json.js';
import { PositionScalar } from '../server/scalars/position.js';
import { hasRole, installationViewer } from '../server/viewer.js';
import { eventSummary } from './eventSummary.js';
import { publicData } from './publicData.js';

const kinds = actorKinds.map((kind) => kind.toUpperCase() as Uppercase<ActorKind>);

export const ActorKindEnum = enumType(
  'ActorKind',
  [...kinds, 'UNKNOWN'],
  'SCHEDULE and WORKER are parts of the system. UNKNOWN: an event of a version that did not record it.',
);

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

  @Field(() => ActorKindEnum)
  readonly actorKind!: keyof typeof ActorKindEnum;

  @Field(() => String, {
    description: 'The name of the actor at that time. It identifies nobody. "unknown" in events of older versions.',
  })
  readonly actorName!: string;

  @Field(() => String, {
    nullable: true,
    description: 'The operation of the API, such as holdBackup. Null if no client sent a request, and in older events.',
  })
  readonly operation!: string | null;

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

  readonly address!: string | null;
  readonly projectId!: string;

  @Field(() => String, {
    nullable: true,
    description:
      'The address of the client. An ADMIN of the project sees it, but that of the installation only the installation.',
  })
  clientAddress(@Ctx() { viewer }: RequestContext): string | null {
    if (viewer.isInstallation) return this.address;
    const isOfInstallation = this.actor === installationViewer.subject;
    return !isOfInstallation && hasRole(viewer.roleIn(this.projectId), 'ADMIN') ? this.address : null;
  }

  static of(event: RecordedEvent): EventType {
    const { eventId: id, position, type, streamType, streamId, version, recordedAt, metadata } = event;
    return Object.assign(new EventType(), {
      ...{ id, position, type, streamType, streamId, version, recordedAt, actor: metadata.actor },
      actorKind: metadata.actorKind?.toUpperCase() ?? 'UNKNOWN',
      actorName: metadata.actorName ?? 'unknown',
      operation: metadata.operation ?? null,
      address: metadata.clientAddress ?? null,
      projectId: event.projectId,
      data: publicData(event.data),
      commandId: metadata.commandId ?? null,
      correlationId: metadata.correlationId,
      causationId: metadata.causationId ?? null,
      summary: eventSummary(event),
    });
  }
}

export const EventConnection = connection('Event', () => EventType);
