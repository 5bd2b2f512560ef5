import { ArgsType, Field, ID } from 'type-graphql';
import type { CommandHandling, CommandRequest } from '../eventSourcing/commandHandling.js';
import type { JobQueue } from '../postgres/contracts/jobQueue.js';
import type { Signals } from '../postgres/contracts/telemetry.js';
import { commandRequest } from '../server/commandRequest.js';
import { InputProblems, uuid } from '../server/inputValidation.js';
import { authorize, type OperationCall } from '../server/requires.js';
import { cancelJob, type JobHandling } from './jobCommands.js';

/** The arguments of every mutation of one job. */
@ArgsType()
export class JobArguments {
  @Field(() => ID)
  readonly id!: string;

  @Field(() => ID, { nullable: true })
  readonly commandId?: string | null;
}

export type JobMutationOptions = {
  /** The fields of the command besides the id of the job. */
  readonly input?: object;
  /** The problems that were found in it so far. */
  readonly problems?: InputProblems;
};

type JobOfProject = { readonly id: string; readonly projectId: string };

/**
 * A mutation of one job: finds the job, checks the caller's role and the arguments, and runs `work` with the request for
 * the command log. Throws NOT_FOUND, FORBIDDEN, BAD_INPUT.
 */
export async function jobMutation<Row extends JobOfProject, Result>(
  jobs: JobMutationOptions & { readonly noun: string; readonly find: (id: string) => Promise<Row | null> },
  call: OperationCall,
  { id, commandId }: JobArguments,
  work: (row: Row, request: CommandRequest) => Promise<Result>,
): Promise<{ readonly id: string; readonly result: Result }> {
  const { noun, find, input, problems = new InputProblems() } = jobs;
  const row = await find(id);
  authorize(call, row?.projectId, noun);
  problems.check('commandId', commandId, uuid).throwIfAny();
  const operation = call.info.fieldName;
  const command = { operation, projectId: row.projectId, input: { id: row.id, ...input }, commandId };
  return { id: row.id, result: await work(row, commandRequest(call.context, command)) };
}

/** Cancels a job for a client. The worker of a RUNNING job gets a signal at once. */
export async function cancelByClient(
  tools: {
    readonly commands: CommandHandling;
    readonly queue: JobQueue;
    readonly signals: Signals;
    readonly now: () => Date;
  },
  handling: JobHandling,
  { id, projectId }: JobOfProject,
  request: CommandRequest,
): Promise<void> {
  const { commands, queue, signals, now } = tools;
  const { status } = await commands.handle<{ status: string }>(request, (commit) =>
    commit(async (tx) => ({
      status: await cancelJob(tx, queue, handling, { id, projectId }, request.subject, now()),
    })),
  );
  if (status === 'RUNNING') await signals.send('cancel', id);
}
