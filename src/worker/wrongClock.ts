import { StowageError } from '../errors.js';
import { serverMs } from '../postgres/serverClock.js';
import type { WorkerTools } from './workerTools.js';

/** Longer than any round trip to PostgreSQL, and shorter than any unit of age in retention. */
const toleranceMs = 5 * 60_000;

/**
 * Throws UNAVAILABLE if this machine's clock differs a lot from PostgreSQL's clock, so one of the two is wrong. With a
 * clock that is ahead every backup would seem older than it is.
 */
export async function refuseWrongClock({
  dataSource,
  machineNow,
}: Pick<WorkerTools, 'dataSource' | 'machineNow'>): Promise<void> {
  const aheadMs = machineNow().getTime() - (await serverMs(dataSource));
  if (Math.abs(aheadMs) <= toleranceMs) return;
  const how = `${Math.round(Math.abs(aheadMs) / 1000)} s ${aheadMs > 0 ? 'ahead of' : 'behind'}`;
  throw new StowageError(
    'UNAVAILABLE',
    `The clock of this machine is ${how} the clock of PostgreSQL, so no backup counts as too old.`,
    {
      help: 'Set both clocks, for example by NTP. Until then this worker deletes nothing by its age.',
    },
  );
}
