import { checkOf, type Check } from '../check.js';
import { checkTimeoutMs } from '../server/checkType.js';
import type { StorageTarget } from '../storage/storageKind.js';
import { refuseOthers } from './installationMarker.js';
import { refuseNeighbours, type NeighbourTools, type Place } from './neighbours.js';

export type CheckTools = NeighbourTools & {
  readonly now: () => Date;
  /** Aborts pending network calls when the server stops. */
  readonly stopping: AbortSignal;
};

/**
 * Checks everything that a backup needs, within 20 s, and leaves nothing behind. If another installation or another project
 * owns the place, the step CONTAINER fails and nothing is written there. For a place that the endpoint already holds, this
 * step names another project that uses it too.
 */
export async function checkStorage(target: StorageTarget, place: Place, tools: CheckTools): Promise<Check> {
  let remark: string | undefined;
  const mayWrite = async (signal: AbortSignal): Promise<void> => {
    const storage = target.open();
    try {
      await refuseOthers(storage, place.prefix, tools.installationId, signal);
      remark = await refuseNeighbours(tools, storage, place, signal);
    } finally {
      await storage.close();
    }
  };
  const steps = await target.check({ signal: tools.stopping, timeoutMs: checkTimeoutMs, mayWrite });
  return checkOf(
    steps.map((step) =>
      step.name !== 'CONTAINER' || step.status !== 'OK' || remark === undefined
        ? step
        : { ...step, message: [step.message, remark].filter((each) => each !== null).join(' ') },
    ),
    tools.now(),
  );
}
