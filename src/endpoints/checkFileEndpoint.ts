import { checkOf, type Check } from '../check.js';
import { StowageError } from '../errors.js';
import { checkTimeoutMs } from '../server/checkType.js';
import { ownedByOthers, prefixOwner } from './installationMarker.js';
import type { StorageTarget } from './openStorage.js';

/** Kept back for looking at the owner of the prefix, which also gets what the other steps leave. */
const leastForOwnerMs = 5000;

/**
 * Tries everything that a backup will need, within 20 s, and leaves nothing behind. A prefix that belongs to another
 * installation fails the step CONTAINER.
 */
export async function checkStorage(
  target: StorageTarget,
  prefix: string,
  surroundings: { readonly installationId: string; readonly now: () => Date; readonly stopping: AbortSignal },
): Promise<Check> {
  const { installationId, now, stopping } = surroundings;
  const began = performance.now();
  const steps = await target.check({ signal: stopping, timeoutMs: checkTimeoutMs - leastForOwnerMs });
  const check = checkOf(steps, now());
  if (!check.ok) return check;
  const leftMs = Math.max(leastForOwnerMs, Math.round(checkTimeoutMs - (performance.now() - began)));
  const signal = AbortSignal.any([stopping, AbortSignal.timeout(leftMs)]);
  const problem = await ownerProblem(target, prefix, installationId, signal);
  if (problem === undefined) return check;
  const { code, message, help: hint } = problem;
  const failed = steps.map((step) =>
    step.name === 'CONTAINER' ? { ...step, status: 'FAILED' as const, code, message, hint } : step,
  );
  return checkOf(failed, now());
}

async function ownerProblem(
  target: StorageTarget,
  prefix: string,
  installationId: string,
  signal: AbortSignal,
): Promise<StowageError | undefined> {
  const storage = target.open();
  try {
    const owner = await prefixOwner(storage, prefix, installationId, signal);
    return owner === 'OTHERS' ? ownedByOthers(prefix) : undefined;
  } catch (error) {
    if (error instanceof StowageError) return error;
    if (!signal.aborted) throw error;
    return new StowageError('ENDPOINT_UNREACHABLE', 'Looking for the owner of the prefix took too long.');
  } finally {
    await storage.close();
  }
}
