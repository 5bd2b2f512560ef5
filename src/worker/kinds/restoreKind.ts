import { restoreHandling } from '../../restores/restoreJobCommands.js';
import { restoreJobProjection, RestoreJobTable } from '../../restores/restoreJobView.js';
import type { RestoreJobEvent, RestoreShape } from '../../restores/restoreJob.js';
import { lostRestores } from '../expiredLeases/lostRestores.js';
import type { JobKind } from '../jobKind.js';
import { runRestore } from '../runs/restoreRun.js';

export const restoreKind: JobKind<RestoreShape, RestoreJobEvent> = {
  ...restoreHandling,
  table: RestoreJobTable,
  projection: restoreJobProjection,
  startOf: (_tx, _job, _request, attempt) => Promise.resolve(attempt),
  run: runRestore,
  afterEnd(upkeep, _request, end) {
    if (end === 'CANCELLED') upkeep.freeTargets();
    return Promise.resolve();
  },
  lostAttempts: lostRestores,
};
