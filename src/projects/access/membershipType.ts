import { Field, ID, ObjectType } from 'type-graphql';
import { connection } from '../../server/connection.js';
import type { Role } from '../../server/viewer.js';
import { ProjectType, RoleEnum } from '../projectType.js';

@ObjectType('Membership', { description: 'The role of a person in a project, or in one service of it.' })
export class MembershipType {
  @Field(() => ProjectType)
  readonly project!: ProjectType;

  @Field(() => ID, { nullable: true, description: 'Null: the role applies to the whole project.' })
  readonly serviceId!: string | null;

  @Field(() => RoleEnum)
  readonly role!: Role;

  @Field(() => String, { description: 'The issuer of the sign-in, as in its discovery document.' })
  readonly issuer!: string;

  @Field(() => String, { description: "The issuer's `sub`. Together with the issuer it identifies the person." })
  readonly subject!: string;

  @Field(() => String, { nullable: true, description: 'For people. It identifies nobody.' })
  readonly name!: string | null;
}

export const MembershipConnection = connection('Membership', () => MembershipType);
