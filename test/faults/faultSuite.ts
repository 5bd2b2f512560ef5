import { borderFaults } from './groups/borders.js';
import { cutOff } from './groups/cutOff.js';
import { damages } from './groups/damages.js';
import { databaseLine } from './groups/databaseLine.js';
import { dumpTools } from './groups/dumpTools.js';
import { engines } from './groups/engines.js';
import { fullDisks } from './groups/fullDisks.js';
import { fullSwift } from './groups/fullSwift.js';
import { lateUploads } from './groups/lateUploads.js';
import { quotas } from './groups/quotas.js';
import { restores } from './groups/restores.js';
import { sourcesAndTargets } from './groups/sourcesAndTargets.js';
import { swiftStatuses } from './groups/swiftStatuses.js';
import { swiftWire } from './groups/swiftWire.js';
import { workers } from './groups/workers.js';
import { timeouts } from './groups/timeouts.js';
import type { Fault } from './trial.js';

/** All faults, by group. */
export const allFaults: readonly Fault[] = [
  ...borderFaults,
  ...sourcesAndTargets,
  ...databaseLine,
  ...dumpTools,
  ...timeouts,
  ...swiftWire,
  ...swiftStatuses,
  ...lateUploads,
  ...workers,
  ...cutOff,
  ...restores,
  ...fullDisks,
  ...fullSwift,
  ...quotas,
  ...damages,
  ...engines,
];
