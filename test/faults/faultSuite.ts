import { swiftStatuses } from './groups/swiftStatuses.js';
import type { Fault } from './trial.js';

/** Every fault there is, by groups. */
export const allFaults: readonly Fault[] = [...swiftStatuses];
