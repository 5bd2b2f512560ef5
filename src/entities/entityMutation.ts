import { ArgsType, Field, ID, Int } from 'type-graphql';
import { notFound } from '../errors.js';
import type { CommandRequest } from '../eventSourcing/commandHandling.js';
import { commandRequest } from '../server/commandRequest.js';
import { InputProblems, uuid } from '../server/inputValidation.js';
import type { RequestContext } from '../server/requestContext.js';
import { authorizeRole, type OperationCall } from '../server/requires.js';
import { roleAt, type ScopeOf } from '../server/scope.js';
import type { Role } from '../server/viewer.js';

/** The arguments of every mutation of one entity, for example of a service or a job. */
@ArgsType()
export class EntityArguments {
  @Field(() => ID)
  readonly id!: string;

  @Field(() => ID, { nullable: true })
  readonly commandId?: string | null;
}

/** The arguments of a mutation that can be refused because the entity has changed. */
@ArgsType()
export class VersionedArguments extends EntityArguments {
  @Field(() => Int, { nullable: true })
  readonly expectedVersion?: number | null;
}

/** The role of the caller for the scope of a row. */
export function roleByScope<Row>(scopeOf: ScopeOf<Row>): EntityMutation<Row>['roleOf'] {
  return (row, { viewer }) => roleAt(viewer, scopeOf(row));
}

export type EntityMutation<Row> = {
  readonly noun: string;
  readonly find: (id: string) => Promise<Row | null>;
  /** Computes the role of the caller for the object, from its scope or otherwise. */
  readonly roleOf: (row: Row, context: RequestContext) => Role | undefined | Promise<Role | undefined>;
  /** The fields of the command besides the id of the entity. */
  readonly input?: object;
  /** The problems of the input. */
  readonly problems?: (row: Row) => InputProblems | Promise<InputProblems>;
};

/**
 * A mutation of one entity: finds it, checks the caller's role and the arguments, and runs `work` with the request for
 * the command log. Throws NOT_FOUND, FORBIDDEN, BAD_INPUT.
 */
export async function entityMutation<Row extends { readonly id: string; readonly projectId: string }, Result>(
  { noun, find, roleOf, input, problems = () => new InputProblems() }: EntityMutation<Row>,
  call: OperationCall,
  { id, commandId }: EntityArguments,
  work: (row: Row, request: CommandRequest) => Promise<Result>,
): Promise<{ readonly id: string; readonly result: Result }> {
  const row = await find(id);
  authorizeRole(call, row === null ? undefined : await roleOf(row, call.context), noun, row ?? undefined);
  if (row === null) throw notFound(noun);
  (await problems(row)).check('commandId', commandId, uuid).throwIfAny();
  const operation = call.info.fieldName;
  const command = { operation, projectId: row.projectId, input: { id: row.id, ...input }, commandId };
  return { id: row.id, result: await work(row, commandRequest(call.context, command)) };
}
