import { Field, ID, InputType, ObjectType } from 'type-graphql';
import { connection } from '../server/connection.js';
import { Node } from '../server/node.js';
import { DateTime } from '../server/scalars/dateTime.js';
import type { Role } from '../server/viewer.js';
import { ProjectType, RoleEnum } from './projectType.js';

@ObjectType('AccessToken', { implements: Node, description: 'Lets a program act in one project with one role.' })
export class AccessTokenType extends Node {
  @Field(() => String)
  readonly name!: string;

  @Field(() => ProjectType)
  readonly project!: ProjectType;

  @Field(() => RoleEnum)
  readonly role!: Role;

  @Field(() => DateTime)
  readonly createdAt!: Date;

  @Field(() => DateTime, { nullable: true })
  readonly expiresAt!: Date | null;

  @Field(() => DateTime, { nullable: true })
  readonly lastUsedAt!: Date | null;

  @Field(() => DateTime, { nullable: true })
  readonly revokedAt!: Date | null;
}

export const AccessTokenConnection = connection('AccessToken', () => AccessTokenType);

@ObjectType('CreateAccessTokenPayload')
export class CreateAccessTokenPayload {
  @Field(() => AccessTokenType)
  readonly accessToken!: AccessTokenType;

  @Field(() => String, { nullable: true, description: 'Shown only once. Null when the command is repeated.' })
  readonly token!: string | null;
}

@InputType('AccessTokenInput')
export class AccessTokenInput {
  @Field(() => ID)
  readonly projectId!: string;

  @Field(() => String)
  readonly name!: string;

  @Field(() => RoleEnum)
  readonly role!: Role;

  @Field(() => DateTime, { nullable: true })
  readonly expiresAt?: Date | null;
}
