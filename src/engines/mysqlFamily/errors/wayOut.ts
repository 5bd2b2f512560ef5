import type { StowageErrorOptions } from '../../../errors.js';

/** The server whose tools and manual a hint names. */
export type Product = 'MariaDB' | 'MySQL';

/**
 * DUMP: the server is the source, and we or the dump tool query it. RESTORE: it is the target, and the client writes to it.
 */
export type Situation = 'DUMP' | 'RESTORE';

/**
 * What a person should do after an error of the server or the client library, by its number and the situation. Errors
 * at login are in refusedLogin.ts. `retriable` is given only where it differs from the default of the code.
 */
export function wayOut(
  product: Product,
  number: number | undefined,
  situation: Situation,
): Pick<StowageErrorOptions, 'help' | 'retriable'> {
  if (number === undefined) return {};
  const known = ways.find(({ numbers }) => numbers.includes(number));
  const text = situation === 'DUMP' ? (known?.dump ?? known?.help) : (known?.restore ?? known?.help);
  const help = text?.replaceAll('mariadb-dump', dumpTools[product]);
  if (help === undefined) {
    return {
      help: `Look up error ${number} in ${product}'s list of error codes, and read the log of the database server at that time.`,
    };
  }
  const retriable = situation === 'DUMP' && known?.passes === true ? { retriable: true } : {};
  return { help, ...retriable };
}

const dumpTools: Readonly<Record<Product, string>> = { MariaDB: 'mariadb-dump', MySQL: 'mysqldump' };

type Way = {
  readonly numbers: readonly number[];
  /** The hint for both situations. */
  readonly help?: string;
  readonly dump?: string;
  readonly restore?: string;
  /** A dump that ended with this error may succeed when it is tried again. */
  readonly passes?: boolean;
};

/** Exported for its test and for docs/errors.md, which lists them all. */
export const ways: readonly Way[] = [
  {
    numbers: [1],
    dump: 'The database server cannot create a file in its tmpdir. Make that folder writable for the server, and free space there.',
    restore:
      'The target cannot create a file. If the message names a folder of a DATA DIRECTORY or INDEX DIRECTORY, create that folder on the target, and make it writable for the server. Otherwise free space on its disk and in its tmpdir.',
  },
  {
    numbers: [3, 20, 1021, 1026],
    dump: 'Free space on the disk of the database server, or in its tmpdir.',
    restore: 'Free space on the disk of the target, then restore again.',
  },
  {
    numbers: [1114],
    dump: 'A temporary table of the server is full: free space in its tmpdir, or raise tmp_table_size and max_heap_table_size there.',
    restore:
      'Free space on the disk of the target. If the table has the engine MEMORY, raise max_heap_table_size on the target to the value of the source.',
  },
  {
    numbers: [1038],
    help: 'The memory for sorting is too small: run SET GLOBAL sort_buffer_size=DEFAULT; on the database server, and remove sort_buffer_size from its configuration.',
  },
  {
    numbers: [1037, 1041, 1135, 3015],
    help: 'The database server has no memory left: stop other programs there, or give it more memory.',
  },
  { numbers: [1040], help: 'Raise max_connections on the database server, or close sessions there.' },
  {
    numbers: [1203, 1226],
    help: 'The database user has reached its own limit. Raise the limit that the message names, for example with ALTER USER … WITH MAX_USER_CONNECTIONS 0.',
  },
  {
    numbers: [1053],
    dump: 'The database server was being shut down. The backup is tried again; if it recurs, back up when nobody restarts the server.',
    restore: 'The target was being shut down. Restore again when it runs.',
  },
  {
    numbers: [1153, 1162, 2006, 2020],
    dump: 'Raise max_allowed_packet on the database server (SET GLOBAL max_allowed_packet=1073741824;). If the server was only restarted meanwhile, you need not do anything.',
    restore:
      'Raise max_allowed_packet on the target (SET GLOBAL max_allowed_packet=1073741824;), or read its log: it may have been restarted.',
  },
  {
    numbers: [2013, 2055, 1158, 1159, 1160, 1161],
    dump: 'The connection was lost during the dump. Search the log of the database server for a restart, and check whether a firewall or proxy ends long connections.',
    restore:
      'The connection was lost during the restore. Search the log of the target for a restart or a max_allowed_packet that is too small, and check whether a firewall or proxy ends long connections.',
  },
  {
    numbers: [1205],
    dump: 'Another session holds a lock that the dump needs. SHOW FULL PROCESSLIST on the database server shows the session.',
    restore: 'Another session holds a lock on the target: end the sessions that write to the restored databases there.',
    passes: true,
  },
  {
    numbers: [1213],
    dump: 'The database server ended the dump to break a deadlock: back up when fewer statements change the definitions of tables.',
    restore: 'Another session writes to the restored databases on the target: end that session.',
    passes: true,
  },
  {
    numbers: [1317, 1927],
    dump: 'A person or a program killed the session of the backup on the database server. Exclude the user of the backup from automatic kills.',
    restore:
      'A person or a program killed the session of the restore on the target. Exclude the user of the restore from automatic kills.',
    passes: true,
  },
  {
    numbers: [1969, 1931],
    help: 'A time limit of the database user ended the statement: remove the limit with ALTER USER … WITH MAX_STATEMENT_TIME 0.',
  },
  {
    numbers: [3024],
    help: 'A time limit of the server ended the statement: run SET GLOBAL max_execution_time=0; there.',
  },
  {
    numbers: [1104],
    help: 'A limit of the server ends the statement: run SET GLOBAL sql_big_selects=1, max_join_size=DEFAULT; there.',
  },
  {
    numbers: [1290, 1836, 1792, 1874, 1036],
    dump: 'The database server runs with the option that the message names: back up from another server, or start this one without the option.',
    restore:
      'The target accepts no writes, or runs with the option that the message names: switch the option off (for example SET GLOBAL read_only=0;), or restore into another server. A replica cannot be a target.',
  },
  {
    numbers: [1418, 1419],
    restore:
      'Run on the target: SET GLOBAL log_bin_trust_function_creators=1; it has a binary log, and only a user with SUPER may create functions and triggers there.',
  },
  {
    numbers: [1449],
    dump: 'Create the account that the message names on the database server, or give the view or routine another definer.',
    restore: 'Create the account that the message names on the target.',
  },
  {
    numbers: [1356, 1462],
    dump: 'Repair the view or drop it, then start the backup again.',
    restore:
      'The view reads a database that is not part of the backup. Back up both databases together, or restore that one into the target first.',
  },
  {
    numbers: [1368, 1369, 1347],
    restore:
      'mariadb-dump writes views in the order of their names: rename the view at the source so that it comes after the views that it reads, and take another backup.',
  },
  {
    numbers: [1563],
    help: 'The table is partitioned by a difference of an UNSIGNED column with negative limits, and only a session with the sql_mode NO_UNSIGNED_SUBTRACTION can open it. Make that column signed at the source, or partition the table in another way.',
  },
  {
    numbers: [1054],
    dump: 'A view, trigger or generated column names a column that no longer exists: repair it or drop it, then start the backup again.',
    restore:
      'A view, trigger or generated column of the source names a column that does not exist: repair it at the source, and take another backup.',
  },
  {
    numbers: [1049],
    dump: 'The database no longer exists, or mariadb-dump cannot dump its events because the name of the database has a quote, a backslash or a line break. Rename the database or drop its events.',
    restore:
      'An object in the backup refers to a database that is not part of the backup. Back up both databases together, or restore that one into the target first.',
  },
  {
    numbers: [1146],
    restore:
      'An object in the backup refers to a table that is not part of the backup. Back up both databases together, or restore that table into the target first.',
  },
  {
    numbers: [1005, 1215, 1216, 1217, 1451, 1452, 1821, 1822, 1824],
    restore:
      'With errno 150, a foreign key refers to columns that have another type or collation, or no index: correct or drop the key at the source, and take another backup. If it refers to another database, back up both databases together. With another errno, the table has a DATA DIRECTORY: create that folder on the target, and make it writable for the server.',
  },
  {
    numbers: [1062, 1022, 1169, 1586, 1859],
    restore:
      'Rows that differ at the source are equal on the target. A FLOAT keeps 6 digits in a dump: make the key DOUBLE or DECIMAL at the source. Otherwise the collation of the target compares in another way: restore into a server of the same version as the source. Then take another backup.',
  },
  {
    // InnoDB inserts the rows of a new table in bulk. It finds a duplicate key only at the end, as error 1.
    numbers: [1180],
    dump: 'The storage engine failed: read the log of the database server at that time.',
    restore:
      'With error 1, rows that differ at the source are equal on the target: a FLOAT keeps 6 digits in a dump, so make the key DOUBLE or DECIMAL at the source and take another backup. For other errors read the log of the target at that time.',
  },
  {
    numbers: [1071, 1709, 1118],
    restore:
      'The target allows smaller keys or rows: give it the innodb_page_size and innodb_default_row_format of the source, and for rows SET GLOBAL innodb_strict_mode=OFF;',
  },
  {
    numbers: [1273, 1115, 1253, 4110, 4161, 1193, 1231, 1064, 1235, 1305, 1901],
    dump: 'The dump tool does not support this version of the database server. Install the tools of the server’s version on the worker.',
    restore:
      'The target does not support this: restore into a server that is at least as new as the server of the backup.',
  },
  {
    numbers: [1286, 1289, 1524, 3003],
    dump: 'Load the storage engine or plugin that the message names on the database server (INSTALL SONAME), or drop the tables that need it.',
    restore:
      'Load the storage engine or plugin that the message names on the target (INSTALL SONAME), or restore into a server that has it.',
  },
  {
    numbers: [1018],
    dump: 'The server cannot read the folder that the message names. Give it back to the server, or, if it is not a database, name the databases of the service one by one.',
  },
  {
    numbers: [1030, 1031, 1296, 1297, 1478],
    dump: 'The storage engine failed: read the log of the database server at that time, and check the table with CHECK TABLE.',
    restore:
      'The storage engine of the target failed: read its log at that time; the errno in the message shows the reason (28 is a full disk).',
  },
  {
    numbers: [1016, 1017, 1033, 1034, 1035, 1194, 1195, 1877, 1932, 1707, 1712, 1812, 1817],
    dump: 'The table is damaged at the source: CHECK TABLE and REPAIR TABLE there, or drop it, then start the backup again.',
    restore: 'A table on the target is damaged: read the log of the target at that time.',
  },
  {
    numbers: [1457, 1545, 1547, 1548, 1558, 1577, 1728, 1805, 3009],
    help: "The server's own tables are damaged or of an older version: run mariadb-upgrade on that server.",
  },
  {
    numbers: [1814],
    dump: 'The table that the message names has no data file (DISCARD TABLESPACE): ALTER TABLE … IMPORT TABLESPACE brings it back. Otherwise drop the table, then start the backup again.',
  },
  {
    numbers: [1007, 1050, 1304, 1359, 1537, 1813],
    restore:
      'The object already exists on the target: another session writes there, or an earlier restore has left it.',
  },
  {
    numbers: [1048, 1067, 1264, 1265, 1292, 1300, 1364, 1366, 1406, 1411, 1416, 1526, 1690, 4025],
    dump: 'A value of the table does not match the type of its column. Check the column that the message names.',
    restore:
      'The target does not accept a value of the column that the message names: compare the version of the server, its settings and the definition of the column with the source.',
  },
  {
    numbers: [1643, 1644],
    help: 'A trigger or routine refused the statement (SIGNAL). Check the triggers of the table on that server.',
  },
];
