import { checkOf, type Check } from '../check.js';
import { checkTimeoutMs } from '../server/checkType.js';
import type { StorageTarget } from '../storage/storageKind.js';
import { refuseOthers } from './installationMarker.js';

/**
 * Tries everything that a backup will need, within 20 s, and leaves nothing behind. A prefix that belongs to another
 * installation fails the step CONTAINER: nothing is written there.
 */
export async function checkStorage(
  target: StorageTarget,
  prefix: string,
  surroundings: { readonly installationId: string; readonly now: () => Date; readonly stopping: AbortSignal },
): Promise<Check> {
  const { installationId, now, stopping } = surroundings;
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
