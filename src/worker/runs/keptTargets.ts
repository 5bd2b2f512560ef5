import type { KeptService } from '../../postgres/contracts/jobQueue.js';
import { letTargetGo } from '../../restores/restoreJobCommands.js';
import { RestoreJobTable, type RestoreJobRow } from '../../restores/restoreJobView.js';
import { atEachTarget, endSessions } from './targetSessions.js';
import { wakeWorkers } from '../wakeWorkers.js';
import { metadataOf, type WorkerTools } from '../workerTools.js';

/**
 * Requests that the targets of cancelled restores end our sessions, if they have not answered yet. A target is unlocked
 * when that is done, or when it is overdue. Every worker does this, for restores of all workers. Returns the number of
 * targets unlocked.
 */
export async function freeKeptTargets(tools: WorkerTools, signal: AbortSignal): Promise<number> {
  let freed = 0;
  await atEachTarget(tools, await tools.queue.keptServices(), signal, async (kept) => {
    try {
      if (await free(tools, kept, signal)) freed += 1;
    } catch (error) {
      tools.log.error({ err: error, jobId: kept.jobId }, 'The target of a cancelled restore could not be freed');
    }
  });
  if (freed > 0) await wakeWorkers(tools);
  return freed;
}

async function free(tools: WorkerTools, { jobId, isOverdue }: KeptService, signal: AbortSignal): Promise<boolean> {
  const job = await tools.dataSource.manager.findOneByOrFail(RestoreJobTable, { id: jobId });
  const sessionsEnded = await areEnded(tools, job, signal);
  if (signal.aborted || (!sessionsEnded && !isOverdue)) return false;
  return await tools.store.transact(metadataOf(tools), (tx) =>
    letTargetGo(tx, tools.queue, job, job, { at: tools.now(), sessionsEnded }),
  );
}

async function areEnded(tools: WorkerTools, job: RestoreJobRow, signal: AbortSignal): Promise<boolean> {
  const { targetServiceId, engine } = job;
  try {
    return await endSessions(tools, { targetServiceId, engine, jobId: job.id }, signal);
  } catch (error) {
    tools.log.warn(
      { err: error, jobId: job.id, targetServiceId },
      'The sessions of a cancelled restore could not be ended yet',
    );
    return false;
  }
}
