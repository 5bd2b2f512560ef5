import { Field, Int, ObjectType } from 'type-graphql';
import type { BackupChanges, ChangedObject } from '../../archive/changes/backupChanges.js';
import { enumType } from '../../server/enumType.js';
import { BigIntScalar } from '../../server/scalars/bigInt.js';

export const ObjectChangeEnum = enumType('ObjectChange', ['GONE', 'NEW', 'CHANGED']);

@ObjectType('ChangedObject', { description: 'A database, or an object in it, that differs from the previous backup.' })
export class ChangedObjectType {
  @Field(() => String, { description: 'The name of its database. A name of more than 100 characters is cut.' })
  readonly database!: string;

  @Field(() => String, {
    description: '`database`, `tables`, or a kind of other objects, for example `views`, `procedures`, `triggers`.',
  })
  readonly kind!: string;

  @Field(() => String)
  readonly name!: string;

  @Field(() => ObjectChangeEnum)
  readonly change!: ChangedObject['change'];

  @Field(() => BigIntScalar, { nullable: true, description: 'Null: not a table, not counted, or new.' })
  readonly rowsBefore!: number | null;

  @Field(() => BigIntScalar, { nullable: true, description: 'Null: not a table, not counted, or gone.' })
  readonly rowsAfter!: number | null;

  @Field(() => Boolean, { description: 'Whether one of the two numbers is an estimate.' })
  readonly rowsEstimated!: boolean;

  @Field(() => Boolean, {
    description: 'Whether its definition differs. Definitions of servers of different releases are not compared.',
  })
  readonly definitionChanged!: boolean;
}

@ObjectType('BackupChanges', {
  description: 'What changed on the database server since the previous backup. Names and numbers only.',
})
export class BackupChangesType {
  constructor(
    /** The stored changes, for the fields that need another row. */
    readonly changes: BackupChanges,
  ) {}

  @Field(() => String, { description: 'For a person. `≈` marks a number that is an estimate.' })
  get sentence(): string {
    return this.changes.sentence;
  }

  @Field(() => BigIntScalar, { description: 'The rows of all tables of the previous backup, as far as known.' })
  get rowsBefore(): number {
    return this.changes.rowsBefore;
  }

  @Field(() => BigIntScalar, { description: 'The rows of all tables, as far as known.' })
  get rowsAfter(): number {
    return this.changes.rowsAfter;
  }

  @Field(() => Boolean, {
    description: 'Whether one of the two sums contains an estimate, or omits a table that was not counted.',
  })
  get rowsEstimated(): boolean {
    return this.changes.rowsEstimated;
  }

  @Field(() => [ChangedObjectType], {
    description: 'At most 100: the largest falls first, then what is gone, redefined, new and larger.',
  })
  get items(): readonly ChangedObjectType[] {
    return this.changes.items;
  }

  @Field(() => Int, { description: 'The number of further objects that changed.' })
  get moreItems(): number {
    return this.changes.moreItems;
  }
}
