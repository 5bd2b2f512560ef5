import type { Engines } from '../engines/engines.js';
import type { WaitingReason } from '../postgres/contracts/workerRegistry.js';

/**
 * The message of a QUEUED job that is due and waits for a reason. `usual` is the message without the reason. It is kept
 * if it describes earlier attempts.
 */
export function waitingMessage(
  reason: WaitingReason,
  engines: Engines,
  { usual, attempts }: { readonly usual: string; readonly attempts: readonly unknown[] },
): string {
  const why = sentence(reason, engines);
  return attempts.length === 0 ? why : `${usual} ${why}`;
}

function sentence(reason: WaitingReason, engines: Engines): string {
  switch (reason.kind) {
    case 'NO_WORKER':
      return 'No worker is running that accepts jobs. Start one (stowage worker). The job then starts automatically.';
    case 'NO_TOOLS': {
      const [, tool, release] = reason.engine.split(' ');
      if (tool !== undefined && release !== undefined) {
        return `No running worker has ${tool} ${release} or newer, which the server or the backup needs. Install it on the machine of a worker, or name its folder in STOWAGE_TOOLS. The job then starts automatically.`;
      }
      const programs = engines.get(reason.engine)?.programs;
      const needed = programs === undefined ? '' : ` (${programs.join(', ')})`;
      return `No running worker has the tools for ${reason.engine}${needed}. Start a worker with these tools, or install them on the machine of a worker. The job then starts automatically.`;
    }
    case 'PUT_OFF':
      return `A worker could not start the job. The reason is in the log of the worker. The next worker tries at ${reason.until.toISOString()}.`;
    case 'SERVICE_KEPT':
      return `The service does not answer, so the sessions of a cancelled restore there could not be ended yet. The job starts automatically when they have ended, at ${reason.until.toISOString()} at the latest.`;
    case 'NO_FREE_SLOT': {
      const { own, slots, othersWait } = reason;
      const others = othersWait ? ', and another project waits' : '';
      return `Waiting for a worker. All slots are in use: your project holds ${own} of ${slots}${others}.`;
    }
  }
}
