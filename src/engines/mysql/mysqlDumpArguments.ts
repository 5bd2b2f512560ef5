import type { PreflightReport } from '../preflightReport.js';

/**
 * mysqldump writes several rows in one statement only while it is shorter than this. So a statement of `oneRowBytes` or
 * more has one row, although the scanner may lengthen a statement (`-0` to `-0e0`).
 */
const netBufferBytes = 1_000_000;
export const oneRowBytes = 2 * netBufferBytes;

/** docs/engines.md documents the purpose of the options. */
export function mysqlDumpArguments({ inventory }: PreflightReport): readonly string[] {
  const isBinary = namesForbidBinary(inventory.databases).length === 0;
  return [
    `--default-character-set=${isBinary ? 'binary' : 'utf8mb4'}`,
    '--single-transaction',
    '--quick',
    '--routines',
    '--events',
    '--triggers',
    // A binary connection converts nothing. So binary values are not written as hex, which would double their size.
    isBinary ? '--skip-hex-blob' : '--hex-blob',
    '--skip-add-locks',
    // The identifiers of transactions belong to a replica, and not to the data.
    '--set-gtid-purged=OFF',
    '--no-tablespaces',
    // mysqldump cannot read them over a binary connection (3144). The scanner adds them.
    '--column-statistics=0',
    `--net-buffer-length=${netBufferBytes}`,
    '--databases',
    '--',
    ...inventory.databases.map(({ name }) => name),
  ];
}

/**
 * The databases whose names are not ASCII. Over a binary connection mysqldump cannot select such a database (1049), so
 * everything is dumped in utf8mb4.
 */
export function namesForbidBinary(databases: readonly { readonly name: string }[]): readonly string[] {
  // eslint-disable-next-line no-control-regex -- it matches everything that is not ASCII
  return databases.map(({ name }) => name).filter((name) => /[^\u0000-\u007f]/.test(name));
}
