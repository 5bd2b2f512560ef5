import type { Lease } from '../../postgres/contracts/jobQueue.js';
import { restoreJob, type RestoreShape } from '../../restores/restoreJob.js';
import { restoreHandling } from '../../restores/restoreJobCommands.js';
import type { LostAttempts } from '../jobKind.js';
import { atEachTarget, endSessions, unreachableTargetMs } from '../runs/targetSessions.js';
import { wakeWorkers } from '../wakeWorkers.js';
import type { WorkerTools } from '../workerTools.js';
import { endLost } from './reaper.js';

/**
 * Ends lost restores whose tool had started. Their server may still commit statements that it has received. Each ends
 * only after our sessions on its target have ended, so that nothing else writes there in the meantime. A target that
 * does not answer delays the others only for a short time.
 */
export const lostRestores: LostAttempts<RestoreShape> = {
  round: 'reap restores',

  async isForRound({ store }, { jobId }) {
    const { state } = await store.load(restoreJob, jobId);
    return state.status === 'RUNNING' && state.toolStarted;
  },

  createRound: (tools) => async (leases, signal) => {
    let ended = 0;
    await atEachTarget(tools, leases, signal, async (lease) => {
      if ((await targetIsFree(tools, lease, signal)) && (await endLost(tools, restoreHandling, lease))) ended += 1;
    });
    if (ended > 0) await wakeWorkers(tools);
    return [];
  },
};

/** True if our sessions can no longer write to the target of a lost restore. */
async function targetIsFree(tools: WorkerTools, lease: Lease, signal: AbortSignal): Promise<boolean> {
  try {
    const { state } = await tools.store.load(restoreJob, lease.jobId);
    if (state.status !== 'RUNNING' || !state.toolStarted) return true;
    return await endSessions(tools, { ...state.request, jobId: lease.jobId }, signal);
  } catch (error) {
    tools.log.warn({ err: error, jobId: lease.jobId }, 'The sessions of a lost restore could not be ended');
    return tools.now().getTime() - lease.expiresAt.getTime() > unreachableTargetMs;
  }
}
