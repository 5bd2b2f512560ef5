import { Field, ID, InputType, Int, ObjectType } from 'type-graphql';
import { connection } from '../../server/connection.js';
import { enumType } from '../../server/enumType.js';
import { DateTime } from '../../server/scalars/dateTime.js';
import { auditKinds, type AuditKind, type StoredAuditEvent } from './auditEvent.js';

export const AuditKindEnum = enumType('AuditKind', auditKinds, 'What an event of the audit records.');

@ObjectType('AuditEvent', {
  description:
    'A sign-in, its end, an attempt that was refused, or a read of something sensitive. Changes are in `events`.',
})
export class AuditEventType {
  @Field(() => ID)
  readonly id!: string;

  @Field(() => DateTime)
  readonly at!: Date;

  @Field(() => AuditKindEnum)
  readonly what!: AuditKind;

  @Field(() => String, { nullable: true, description: 'The caller, as `Event.actor`. Null: nobody has signed in.' })
  readonly actor!: string | null;

  @Field(() => String, { nullable: true, description: 'The name of the actor at that time.' })
  readonly name!: string | null;

  @Field(() => String, { nullable: true })
  readonly clientAddress!: string | null;

  @Field(() => ID, { nullable: true, description: 'Null: the event belongs to no project.' })
  readonly projectId!: string | null;

  @Field(() => String, { nullable: true, description: 'The operation of the API, such as holdBackup.' })
  readonly operation!: string | null;

  @Field(() => ID, { nullable: true, description: 'The id of the object that was read.' })
  readonly target!: string | null;

  @Field(() => ID, { nullable: true, description: 'The id of the request.' })
  readonly correlationId!: string | null;

  @Field(() => String, { nullable: true, description: 'A sentence. It contains no secret.' })
  readonly detail!: string | null;

  @Field(() => Int, { description: 'How many equal attempts the event stands for.' })
  readonly attempts!: number;

  static of(event: StoredAuditEvent): AuditEventType {
    return Object.assign(new AuditEventType(), event);
  }
}

export const AuditEventConnection = connection('AuditEvent', () => AuditEventType);

@InputType('AuditEventFilter')
export class AuditEventFilter {
  @Field(() => [AuditKindEnum], { nullable: true })
  readonly what?: AuditKind[] | null;

  @Field(() => String, { nullable: true, description: 'Only events of this actor.' })
  readonly actor?: string | null;

  @Field(() => DateTime, { nullable: true, description: 'Only events at this time or later.' })
  readonly from?: Date | null;

  @Field(() => DateTime, { nullable: true, description: 'Only events before this time.' })
  readonly before?: Date | null;
}
