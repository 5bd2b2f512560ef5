import { ArgsType, Field, ID, ObjectType } from 'type-graphql';
import type { Position } from '../eventSourcing/event.js';
import { FileEndpointType } from '../endpoints/fileEndpointType.js';
import { BackupPlanType } from '../plans/planType.js';
import { enumType } from '../server/enumType.js';
import { PositionScalar } from '../server/scalars/position.js';
import { ServiceType } from '../services/serviceType.js';
import type { EntityChange } from './watchEntities.js';

type Kind = EntityChange<unknown>['kind'];

const EntityChangeKindEnum = enumType(
  'EntityChangeKind',
  ['READY', 'CHANGED'],
  'READY has no object. It means that everything before it was sent, and that live changes follow.',
);

/** The fields that every change has. It is no type of the schema. */
@ObjectType()
abstract class EntityChangeFields {
  @Field(() => EntityChangeKindEnum)
  readonly kind!: Kind;

  @Field(() => PositionScalar, {
    description:
      'Every change up to this position has been sent. From READY on, you can send it as `after` to continue without a gap.',
  })
  readonly position!: Position;
}

@ObjectType('ServiceChange')
export class ServiceChangeType extends EntityChangeFields {
  @Field(() => ServiceType, { nullable: true })
  readonly service!: ServiceType | null;
}

@ObjectType('FileEndpointChange')
export class FileEndpointChangeType extends EntityChangeFields {
  @Field(() => FileEndpointType, { nullable: true })
  readonly fileEndpoint!: FileEndpointType | null;
}

@ObjectType('BackupPlanChange')
export class BackupPlanChangeType extends EntityChangeFields {
  @Field(() => BackupPlanType, { nullable: true })
  readonly backupPlan!: BackupPlanType | null;
}

@ArgsType()
export class EntityChangesArguments {
  @Field(() => ID, { nullable: true })
  readonly projectId?: string | null;

  @Field(() => PositionScalar, { nullable: true })
  readonly after?: Position | null;
}

@ArgsType()
export class ServiceChangesArguments extends EntityChangesArguments {
  @Field(() => ID, { nullable: true, description: 'Only this service, or what belongs to it.' })
  readonly serviceId?: string | null;
}
