import { registerEnumType } from 'type-graphql';
import { hasRole, type Role } from './viewer.js';

export const EntityActionEnum = {
  UPDATE: 'UPDATE',
  REMOVE: 'REMOVE',
  CHECK: 'CHECK',
  BACK_UP: 'BACK_UP',
  RESTORE_INTO: 'RESTORE_INTO',
} as const;
export type EntityAction = keyof typeof EntityActionEnum;
registerEnumType(EntityActionEnum, {
  name: 'EntityAction',
  description: 'What role and state allow the viewer to do now.',
});

/** The role that each action asks for; the mutations declare the same with `@Requires`. */
const neededRole: Readonly<Record<EntityAction, Role>> = {
  UPDATE: 'OPERATOR',
  REMOVE: 'ADMIN',
  CHECK: 'OPERATOR',
  BACK_UP: 'OPERATOR',
  RESTORE_INTO: 'OPERATOR',
};

/** Of the actions that the thing's state allows, those that the role allows too. */
export function allowedActions(role: Role | undefined, possible: readonly EntityAction[]): EntityAction[] {
  return possible.filter((action) => hasRole(role, neededRole[action]));
}
