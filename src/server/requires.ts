import type { GraphQLObjectType, GraphQLResolveInfo, GraphQLSchema } from 'graphql';
import { Extensions } from 'type-graphql';
import { StowageError, notFound } from '../errors.js';
import { asRefusal } from './refusals.js';
import type { RequestContext } from './requestContext.js';
import { roleAt, type Scope, type ScopeOf } from './scope.js';
import { hasRole, roles, type Role } from './viewer.js';

/**
 * The requirement for the caller of an operation: a role in the project of the object, SIGNED_IN (any valid token), or
 * INSTALLATION (the installation-level token).
 */
export type Requirement = Role | 'SIGNED_IN' | 'INSTALLATION';

/**
 * Declares the requirement for the caller of an operation. The schema cannot be built if a Query, Mutation or
 * Subscription has none.
 *
 *     @Mutation(() => BackupJobType)
 *     @Requires('OPERATOR')
 *     async cancelBackupJob(@Arg('id', () => ID) id: string, @Call() call: OperationCall) {
 *       const job = await authorizedRow(call, manager, backupJobLookup, id);
 *
 * SIGNED_IN and INSTALLATION are enforced before the resolver runs. For a role the resolver calls `authorizedRow`, because
 * only the resolver knows the object. A list is limited by `visibleRows`, a query of one object by `visibleRow`.
 */
export function Requires(requirement: Requirement): MethodDecorator {
  return Extensions({ requires: requirement });
}

/** The call of an operation. `subscribe` of a type-graphql Subscription gets one as its argument. */
export type OperationCall = { readonly context: RequestContext; readonly info: GraphQLResolveInfo };

/**
 * Passes if the role is at least the one that the operation declares. Undefined: the object does not exist or is not
 * visible. Throws NOT_FOUND for it (with the same message), FORBIDDEN if the role is too low. If `place` is given, the
 * object exists but is not visible. In this case the audit records a refusal.
 */
export function authorizeRole(
  call: OperationCall,
  role: Role | undefined,
  what: string,
  place?: Pick<Scope, 'projectId'>,
): asserts role is Role {
  if (role === undefined) {
    if (place === undefined) throw notFound(what);
    const detail = `The caller may not see this ${what} of project ${place.projectId}.`;
    throw asRefusal(notFound(what), { operation: call.info.fieldName, projectId: null, detail });
  }
  const needed = declaredRequirement(call.info);
  if (needed !== 'SIGNED_IN' && needed !== 'INSTALLATION') demandRole(call, role, needed, place?.projectId);
}

/** Throws FORBIDDEN if the role is lower than the needed one. For an operation that needs a role for two objects. */
export function demandRole({ info }: OperationCall, role: Role, needed: Role, projectId?: string): void {
  if (hasRole(role, needed)) return;
  const { fieldName: operation } = info;
  const message = `${operation} needs the role ${needed} for this object; your role is ${role}.`;
  const detail = `It needs the role ${needed}; that of the caller is ${role}.`;
  const error = new StowageError('FORBIDDEN', message, { details: { needed, role } });
  throw asRefusal(error, { operation, projectId: projectId ?? null, detail });
}

/** Whether a lookup may return the row. */
export function canSee<Row>({ viewer }: RequestContext, row: Row, scopeOf: ScopeOf<Row>): boolean {
  return roleAt(viewer, scopeOf(row)) !== undefined;
}

/**
 * Enforces INSTALLATION; `signedInOnly` has already checked the sign-in. Throws if an operation declares nothing. Called
 * when the schema is built.
 */
export function guardOperations(schema: GraphQLSchema): void {
  const undeclared: string[] = [];
  for (const type of [schema.getQueryType(), schema.getMutationType(), schema.getSubscriptionType()]) {
    if (type) undeclared.push(...guardFields(type));
  }
  if (undeclared.length > 0) {
    throw new Error(`Operations without @Requires(…): ${undeclared.join(', ')}. Declare who may call them.`);
  }
}

function guardFields(type: GraphQLObjectType): string[] {
  const undeclared: string[] = [];
  for (const field of Object.values(type.getFields())) {
    const requirement = field.extensions['requires'];
    if (!isRequirement(requirement)) {
      undeclared.push(`${type.name}.${field.name}`);
      continue;
    }
    if (requirement !== 'INSTALLATION') continue;
    const { resolve, subscribe } = field;
    if (resolve)
      field.resolve = (root, args, context: RequestContext, info) => {
        assertInstallation(context, field.name);
        return resolve(root, args, context, info);
      };
    if (subscribe)
      field.subscribe = (root, args, context: RequestContext, info) => {
        assertInstallation(context, field.name);
        return subscribe(root, args, context, info);
      };
  }
  return undeclared;
}

function assertInstallation(context: RequestContext, operation: string): void {
  if (context.viewer.isInstallation) return;
  const error = new StowageError('FORBIDDEN', `${operation} needs the installation-level token.`);
  throw asRefusal(error, { operation, projectId: null, detail: 'It needs the installation-level token.' });
}

function declaredRequirement(info: GraphQLResolveInfo): Requirement {
  const requirement = info.parentType.getFields()[info.fieldName]?.extensions['requires'];
  if (isRequirement(requirement)) return requirement;
  throw new Error(`${info.fieldName} calls authorizeRole, but does not declare @Requires(…).`);
}

function isRequirement(value: unknown): value is Requirement {
  return value === 'SIGNED_IN' || value === 'INSTALLATION' || roles.some((role) => role === value);
}
