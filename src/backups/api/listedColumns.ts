import { messageColumns } from '../backupJobMessage.js';
import type { BackupJobRow } from '../backupJobView.js';

type Column = keyof BackupJobRow;

/** Read with every list: whose a job is, where it stands, and what lists are sorted by. */
const always: readonly Column[] = [
  ...(['id', 'projectId', 'status'] as const),
  ...(['queuedAt', 'startedAt', 'finishedAt', 'storedSizeBytes'] as const),
];

/** Fields that are told from those alone. */
const fromThose = [
  ...['__typename', 'id', 'status', 'queuedAt', 'startedAt', 'finishedAt', 'executionTime', 'storedSize'],
  ...['project', 'inventory', 'inventorySummary', 'restores', 'encrypted'],
];

/** Fields that have a column of their own name. */
const fromTheirOwn = [
  ...(['trigger', 'batchId', 'requestedBy', 'availability', 'phase', 'scheduledFor', 'error', 'attempt'] as const),
  ...(['attempts', 'parts', 'warnings', 'hold', 'version', 'retryOf', 'skippedFor'] as const),
];

const fromOthers: Readonly<Record<string, readonly Column[]>> = {
  size: ['sizeBytes'],
  verifiedAt: ['verified'],
  verifiedLevel: ['verified'],
  service: ['serviceId'],
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
 * The columns from which these fields of BackupJob are told: a page of all of them takes twice as long as one of the few
 * that are mostly asked for. Undefined, all columns, where a field is asked for that is not known here.
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
