import { Field, ID, Int, ObjectType } from 'type-graphql';
import { enumType } from '../../server/enumType.js';
import { DateTime } from '../../server/scalars/dateTime.js';
import { auditKinds, type AuditKind } from './auditTrail.js';

export const AuditKindEnum = enumType('AuditKind', auditKinds, 'What an entry of the audit records.');

@ObjectType('AuditEntry', { description: 'A sign-in, its end, or an attempt that was refused.' })
export class AuditEntryType {
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

  @Field(() => String, { nullable: true, description: 'A sentence. It contains no secret.' })
  readonly detail!: string | null;

  @Field(() => Int, { description: 'How many attempts of the address the entry stands for.' })
  readonly attempts!: number;
}
