import type { CommandHandling, CommandRequest } from '../eventSourcing/commandHandling.js';
import type { StreamRef } from '../eventSourcing/eventStore.js';
import type { JobQueue } from '../postgres/contracts/jobQueue.js';
import type { Signals } from '../postgres/contracts/telemetry.js';
import { cancelJob, type JobHandling } from './jobCommands.js';

/** Cancels a job for a client. The worker of a RUNNING job gets a signal at once. */
export async function cancelByClient(
  tools: {
    readonly commands: CommandHandling;
    readonly queue: JobQueue;
    readonly signals: Signals;
    readonly now: () => Date;
  },
  handling: JobHandling,
  job: StreamRef,
  request: CommandRequest,
): Promise<void> {
  const { commands, queue, signals, now } = tools;
  const { status } = await commands.handle<{ status: string }>(request, (commit) =>
    commit(async (tx) => ({
      status: await cancelJob(tx, queue, handling, job, request.subject, now()),
    })),
  );
  if (status === 'RUNNING') await signals.send('cancel', job.id);
}
