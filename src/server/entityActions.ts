import { registerEnumType } from 'type-graphql';
import { hasRole, type Role } from './viewer.js';

export const EntityActionEnum = {
  UPDATE: 'UPDATE',
  REMOVE: 'REMOVE',
  CHECK: 'CHECK',
  BACK_UP: 'BACK_UP',
  RESTORE_INTO: 'RESTORE_INTO',
  MANAGE_ACCESS: 'MANAGE_ACCESS',
} as const;
export type EntityAction = keyof typeof EntityActionEnum;
registerEnumType(EntityActionEnum, {
  name: 'EntityAction',
  description: 'An action that the viewer may do now, according to the role of the viewer and the state of the object.',
});

/** The role that each action needs. The mutations declare the same role with `@Requires`. */
const neededRole: Readonly<Record<EntityAction, Role>> = {
  UPDATE: 'ADMIN',
  REMOVE: 'ADMIN',
  CHECK: 'OPERATOR',
  BACK_UP: 'OPERATOR',
  RESTORE_INTO: 'OPERATOR',
  MANAGE_ACCESS: 'ADMIN',
};

/** The actions that both the state of the object and the role allow. */
export function allowedActions(role: Role | undefined, possible: readonly EntityAction[]): EntityAction[] {
  return possible.filter((action) => hasRole(role, neededRole[action]));
}
