import type { JobKind } from '../worker/jobKind.js';
import { backupKind } from '../worker/kinds/backupKind.js';
import { restoreKind } from '../worker/kinds/restoreKind.js';

/** Every kind of job, in the order in which a worker claims them. */
export const jobKinds: readonly JobKind[] = [restoreKind, backupKind];
