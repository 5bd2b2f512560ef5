import { StowageError } from '../errors.js';
import { serializeBackupDocument, type BackupDocument } from './backupDocument.js';

/**
 * Less than the limit for reading, and less than the limit of PostgreSQL: the event of the backup holds the inventory
 * too, and a jsonb array may have 268,435,455 bytes (PostgreSQL source, jsonb.h, JENTRY_OFFLENMASK). Short names and
 * numbers are longer in jsonb than in the text of the document.
 */
export const largestWrittenBytes = 120 * 1024 * 1024;

/**
 * The document in the form that is written. A document that would be too large loses first its indentation and then the
 * definitions, and a warning reports this. Throws TOOL_FAILED if it is still too large.
 */
export function fitBackupDocument(
  document: BackupDocument,
  limitBytes = largestWrittenBytes,
): { readonly document: BackupDocument; readonly bytes: Uint8Array } {
  const ways = [
    () => ({ document, bytes: serializeBackupDocument(document) }),
    () => ({ document, bytes: serializeInOneLine(document) }),
    () => {
      const smaller = withoutDefinitions(document);
      return { document: smaller, bytes: serializeInOneLine(smaller) };
    },
  ];
  for (const way of ways) {
    const fitting = unlessTooLong(way);
    if (fitting !== undefined && fitting.bytes.length <= limitBytes) return fitting;
  }
  throw new StowageError(
    'TOOL_FAILED',
    `The backup has so many databases and tables that its backup.json would have more than ${limitBytes} bytes.`,
    { help: 'Register several services with a part of the databases each, then start the backups again.' },
  );
}

function serializeInOneLine(document: BackupDocument): Uint8Array {
  return Buffer.from(`${JSON.stringify(document)}\n`, 'utf8');
}

/** V8 cannot create a string of more than about 512 MiB. */
function unlessTooLong<T>(serialize: () => T): T | undefined {
  try {
    return serialize();
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

function withoutDefinitions(document: BackupDocument): BackupDocument {
  const { definitionsTaken: _taken, ...inventory } = document.inventory;
  const databases = inventory.databases.map(({ definitions: _definitions, ...database }) => ({
    ...database,
    tables: database.tables.map(({ definition: _definition, ...table }) => table),
  }));
  return {
    ...document,
    inventory: { ...inventory, databases },
    warnings: [
      ...document.warnings,
      'The backup does not record the definitions of its tables, views and programs, because there are too many of them. A restore is compared by names and numbers of rows alone.',
    ],
  };
}
