import { messageColumns } from '../backupJobMessage.js';
import type { BackupJobRow } from '../backupJobView.js';

type Column = keyof BackupJobRow;

/** The columns that every list reads: the project and the service of the job, its status, and the keys for sorting. */
const always: readonly Column[] = [
  ...(['id', 'projectId', 'serviceId', 'status'] as const),
  ...(['queuedAt', 'startedAt', 'finishedAt', 'storedSizeBytes'] as const),
];

/** Fields that need no further column. */
const fromThose = [
  ...['__typename', 'id', 'status', 'queuedAt', 'startedAt', 'finishedAt', 'executionTime', 'storedSize'],
  ...['project', 'service', 'inventory', 'inventoryObjects', 'inventorySummary', 'accounts', 'restores', 'encrypted'],
];

/** Fields that need the column of the same name. */
const fromTheirOwn = [
  ...(['trigger', 'batchId', 'requestedBy', 'availability', 'phase', 'scheduledFor', 'error', 'attempt'] as const),
  ...(['attempts', 'parts', 'warnings', 'changes', 'hold', 'version', 'retryOf', 'skippedFor'] as const),
];

const fromOthers: Readonly<Record<string, readonly Column[]>> = {
  size: ['sizeBytes'],
  verifiedAt: ['verified'],
  verifiedLevel: ['verified'],
  plan: ['planId'],
  fileEndpoint: ['fileEndpointId'],
  progress: ['attempt'],
  message: messageColumns,
  viewerActions: ['availability', 'readers', 'hold', 'cancelRequestedBy'],
};

const ofField = new Map<string, readonly Column[]>([
  ...fromThose.map((field) => [field, []] as const),
  ...fromTheirOwn.map((column) => [column, [column]] as const),
  ...Object.entries(fromOthers),
]);

/**
 * The columns that these fields of BackupJob need. A page with all columns takes twice as long as one with the few
 * columns that clients mostly select. Undefined: one of the fields is unknown here, so all columns are needed.
 */
export function columnsOfListed(fields: ReadonlySet<string>): ReadonlySet<Column> | undefined {
  const columns = new Set(always);
  for (const field of fields) {
    const needed = ofField.get(field);
    if (needed === undefined) return undefined;
    for (const column of needed) columns.add(column);
  }
  return columns;
}
