import { Field, Int, ObjectType } from 'type-graphql';

@ObjectType('BackupAccounts', {
  description: 'The users and roles whose statements a part of a backup contains. No restore replays them.',
})
export class BackupAccountsType {
  @Field(() => [String], { description: 'As `user@host`. For PostgreSQL the roles that may log in. At most 1000.' })
  readonly users!: readonly string[];

  @Field(() => [String], { description: 'At most 1000.' })
  readonly roles!: readonly string[];

  @Field(() => Int)
  readonly totalUsers!: number;

  @Field(() => Int)
  readonly totalRoles!: number;
}
