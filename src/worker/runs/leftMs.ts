import type { WorkOfStep } from '../../archive/archive.js';

/** Before this time the speed of a step is not known. */
const soonestMs = 1_000;

/**
 * The time until a step ends, if it continues at its average speed. The speed of the last seconds would follow every
 * pause of the server or of the storage. Null: not known yet.
 */
export function leftMs(work: WorkOfStep | null): number | null {
  if (work === null || work.doneBytes <= 0 || work.elapsedMs < soonestMs) return null;
  const { doneBytes, totalBytes, elapsedMs } = work;
  return Math.max(0, (totalBytes - doneBytes) * (elapsedMs / doneBytes));
}
