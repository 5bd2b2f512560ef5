import { Field, ID, InputType, ObjectType } from 'type-graphql';
import { connection } from '../../server/connection.js';
import { Node } from '../../server/node.js';
import { DateTime } from '../../server/scalars/dateTime.js';
import type { Role } from '../../server/viewer.js';
import { RoleEnum } from '../projectType.js';
import type { AccessTokenRow } from './accessTokenView.js';

@ObjectType('AccessToken', {
  implements: Node,
  description: 'Lets a program act with one role in one project, or in one service of it.',
})
export class AccessTokenType extends Node {
  readonly row!: AccessTokenRow;

  @Field(() => String)
  readonly name!: string;

  @Field(() => ID, { nullable: true, description: 'Null: the token acts in the whole project.' })
  readonly serviceId!: string | null;

  @Field(() => RoleEnum)
  readonly role!: Role;

  @Field(() => DateTime)
  readonly createdAt!: Date;

  @Field(() => DateTime, { nullable: true, description: 'Null: the token is valid until it is revoked.' })
  readonly expiresAt!: Date | null;

  @Field(() => DateTime, { nullable: true })
  readonly revokedAt!: Date | null;

  static of(row: AccessTokenRow): AccessTokenType {
    const { id, name, serviceId, role, createdAt, expiresAt, revokedAt } = row;
    return Object.assign(new AccessTokenType(), { row, id, name, serviceId, role, createdAt, expiresAt, revokedAt });
  }
}

export const AccessTokenConnection = connection('AccessToken', () => AccessTokenType);

@ObjectType('CreateAccessTokenPayload')
export class CreateAccessTokenPayload {
  @Field(() => AccessTokenType)
  readonly accessToken!: AccessTokenType;

  @Field(() => String, {
    nullable: true,
    description: 'It begins with stw_ and is shown only once. Null when the command is repeated.',
  })
  readonly token!: string | null;
}

@InputType('AccessTokenInput')
export class AccessTokenInput {
  @Field(() => ID)
  readonly projectId!: string;

  @Field(() => ID, {
    nullable: true,
    description: 'A service of the project, in which alone the token acts. Default: the whole project.',
  })
  readonly serviceId?: string | null;

  @Field(() => String)
  readonly name!: string;

  @Field(() => RoleEnum)
  readonly role!: Role;

  @Field(() => DateTime, {
    nullable: true,
    description:
      'Default: the token is valid until it is revoked. A token that expires creates only tokens that expire no later; then its own end is the default.',
  })
  readonly expiresAt?: Date | null;
}
