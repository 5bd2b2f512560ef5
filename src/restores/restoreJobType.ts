import { Field, ObjectType } from 'type-graphql';
import { AttemptedJobType } from '../jobs/attemptedJobType.js';
import { connection } from '../server/connection.js';
import { Node } from '../server/node.js';
import { enumType } from '../server/enumType.js';
import { restoreJobMessage } from './restoreJobMessage.js';
import type { RestoreJobRow } from './restoreJobView.js';

export const RestoreStatusEnum = enumType('RestoreStatus', ['QUEUED', 'RUNNING', 'SUCCEEDED', 'FAILED', 'CANCELLED']);

export const RestoreModeEnum = enumType(
  'RestoreMode',
  ['IN_PLACE', 'AS_NEW'],
  'AS_NEW never changes an existing database.',
);

@ObjectType('DatabaseMapping')
export class DatabaseMappingType {
  @Field(() => String)
  readonly from!: string;

  @Field(() => String)
  readonly to!: string;
}

@ObjectType('InventoryDifference')
export class InventoryDifferenceType {
  @Field(() => String)
  readonly path!: string;

  @Field(() => String, { nullable: true })
  readonly expected!: string | null;

  @Field(() => String, { nullable: true })
  readonly actual!: string | null;
}

@ObjectType('RestoreJob', { implements: Node, description: "One executed restore of a backup's data into a service." })
export class RestoreJobType extends AttemptedJobType<RestoreJobRow> {
  override currentMessage(): string {
    return restoreJobMessage(this.row);
  }

  @Field(() => RestoreModeEnum)
  get mode(): keyof typeof RestoreModeEnum {
    return this.row.mode;
  }

  @Field(() => [DatabaseMappingType], { nullable: true, description: 'Null: all databases, under their own names.' })
  get databases(): readonly DatabaseMappingType[] | null {
    return null;
  }

  @Field(() => RestoreStatusEnum)
  get status(): RestoreJobRow['status'] {
    return this.row.status;
  }

  @Field(() => [InventoryDifferenceType], {
    nullable: true,
    description: "The differences between the target and the backup's inventory. Null until they were compared.",
  })
  get differences(): readonly InventoryDifferenceType[] | null {
    return this.row.differences;
  }
}

export const RestoreJobConnection = connection('RestoreJob', () => RestoreJobType);
