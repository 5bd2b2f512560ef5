import { checkOf, type Check } from '../check.js';
import { checkTimeoutMs } from '../server/checkType.js';
import type { StorageTarget } from '../storage/storageKind.js';
import { refuseOthers } from './installationMarker.js';

export type CheckTools = {
  readonly installationId: string;
  readonly now: () => Date;
  /** Aborts pending network calls when the server stops. */
  readonly stopping: AbortSignal;
};

/**
 * Checks everything that a backup needs, within 20 s, and leaves nothing behind. If another installation owns the prefix,
 * the step CONTAINER fails and nothing is written there.
 */
export async function checkStorage(
  target: StorageTarget,
  prefix: string,
  { installationId, now, stopping }: CheckTools,
): Promise<Check> {
  const mayWrite = async (signal: AbortSignal): Promise<void> => {
    const storage = target.open();
    try {
      await refuseOthers(storage, prefix, installationId, signal);
    } finally {
      await storage.close();
    }
  };
  return checkOf(await target.check({ signal: stopping, timeoutMs: checkTimeoutMs, mayWrite }), now());
}
