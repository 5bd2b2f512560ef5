import { Field, ObjectType } from 'type-graphql';
import { connection } from '../../server/connection.js';
import { BigIntScalar } from '../../server/scalars/bigInt.js';

@ObjectType('InventoryObject', {
  description:
    'A database, or an object in it, when the database server was dumped. Null: not recorded, or not a table.',
})
export class InventoryObjectType {
  @Field(() => String, { description: 'The name of its database.' })
  readonly database!: string;

  @Field(() => String, {
    description: '`database`, `tables`, or a kind of other objects, for example `views`, `procedures`, `triggers`.',
  })
  readonly kind!: string;

  @Field(() => String)
  readonly name!: string;

  @Field(() => BigIntScalar, { nullable: true, description: 'The rows of a table.' })
  readonly rows!: number | null;

  @Field(() => Boolean)
  readonly rowsEstimated!: boolean;

  @Field(() => BigIntScalar, { nullable: true, description: 'Bytes, as the server estimates them.' })
  readonly size!: number | null;

  @Field(() => String, { nullable: true, description: 'The type as the server names it, for example `BASE TABLE`.' })
  readonly type!: string | null;

  @Field(() => String, { nullable: true })
  readonly engine!: string | null;

  @Field(() => String, { nullable: true })
  readonly collation!: string | null;

  @Field(() => String, { nullable: true, description: 'SHA-256 of the normalised definition of a table, hex.' })
  readonly definitionHash!: string | null;
}

export const InventoryObjectConnection = connection('InventoryObject', () => InventoryObjectType);
