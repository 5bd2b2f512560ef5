import { backupHandling } from '../backups/backupJobCommands.js';
import type { JobHandling } from '../jobs/jobCommands.js';
import type { JobKind } from '../postgres/contracts/jobQueue.js';
import { restoreHandling } from '../restores/restoreJobCommands.js';

/** Every kind of job that a worker runs. */
export const handlings: Readonly<Record<JobKind, JobHandling>> = { BACKUP: backupHandling, RESTORE: restoreHandling };
