import { ArgsType, Field, ID, Int } from 'type-graphql';
import type { EntityManager } from 'typeorm';
import type { CommandRequest } from '../eventSourcing/commandHandling.js';
import { commandRequest } from '../server/commandRequest.js';
import { InputProblems, uuid } from '../server/inputValidation.js';
import { authorizedRow, type Lookup } from '../server/lookup.js';
import type { OperationCall } from '../server/requires.js';

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

export type EntityMutation<Row extends { readonly id: string; readonly projectId: string }> = {
  readonly lookup: Lookup<Row>;
  readonly manager: EntityManager;
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
  { lookup, manager, input, problems = () => new InputProblems() }: EntityMutation<Row>,
  call: OperationCall,
  { id, commandId }: EntityArguments,
  work: (row: Row, request: CommandRequest) => Promise<Result>,
): Promise<{ readonly id: string; readonly result: Result }> {
  const row = await authorizedRow(call, manager, lookup, id);
  (await problems(row)).check('commandId', commandId, uuid).throwIfAny();
  const operation = call.info.fieldName;
  const command = { operation, projectId: row.projectId, input: { id: row.id, ...input }, commandId };
  return { id: row.id, result: await work(row, commandRequest(call.context, command)) };
}
