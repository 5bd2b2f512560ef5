import { Field, Int, ObjectType, registerEnumType } from 'type-graphql';
import { connection } from '../server/connection.js';
import { Node } from '../server/node.js';
import { DateTime } from '../server/scalars/dateTime.js';
import type { ProjectRow } from './projectView.js';

export const RoleEnum = { VIEWER: 'VIEWER', OPERATOR: 'OPERATOR', ADMIN: 'ADMIN' } as const;
registerEnumType(RoleEnum, {
  name: 'Role',
  description: 'From the lowest to the highest role. Each role includes the rights of the lower roles.',
});

export const ProjectActionEnum = { UPDATE: 'UPDATE', MANAGE_ACCESS: 'MANAGE_ACCESS', CREATE: 'CREATE' } as const;
registerEnumType(ProjectActionEnum, {
  name: 'ProjectAction',
  description: 'The actions that the viewer may do in a project.',
});

@ObjectType('Project', { implements: Node })
export class ProjectType extends Node {
  @Field(() => String)
  readonly name!: string;

  @Field(() => DateTime)
  readonly createdAt!: Date;

  @Field(() => Int)
  readonly version!: number;

  static of(row: ProjectRow): ProjectType {
    return Object.assign(new ProjectType(), row);
  }
}

export const ProjectConnection = connection('Project', () => ProjectType);
