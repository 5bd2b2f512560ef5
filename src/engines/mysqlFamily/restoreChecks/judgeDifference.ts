import type { Engine } from '../../engine.js';
import type { Inventory } from '../../inventory.js';
import type { FoundDifference, Loss } from '../../inventoryDifference.js';
import { quoteName } from '../privileges/grants.js';
import type { Dialect } from '../dialect.js';
import { currentName } from './target.js';

/** Decides whether a difference of a restored target is a loss, and what the user can do. */
export function judgeDifferences({ dumpsHistory }: Pick<Dialect, 'dumpsHistory'>): Engine['judgeDifference'] {
  return (difference, context) => {
    const { what, expected, actual } = difference;
    switch (what) {
      case 'DATABASE':
        return { sentence: `the database '${difference.database}' is not there`, help: removed };
      case 'TABLE':
        return missingTable(difference, context.actual.databases);
      case 'ROWS':
        if (context.changesByItself || Number(actual) >= Number(expected)) return null;
        if (countsLostHistory(difference, context.expected, dumpsHistory)) return null;
        return { sentence: `the table ${table(difference)} has ${actual} of ${expected} rows`, help: lessRows };
      case 'PROPERTY':
        return judgeProperty(difference);
      case 'FIELD':
        return judgeField(difference);
      case 'OBJECT':
        return judgeObject(difference, context.actual.databases);
      case 'DEFINITION':
        return difference.kind === 'tables' ? judgeTablePart(difference) : judgeObjectPart(difference);
    }
  };
}

const removed =
  'It was created and then dropped. Find the session that dropped it in the binary log or the audit log of the target, and restore again when no other session writes there.';
const lessRows =
  'Another session deleted rows on the target during the restore, or the target did not store them. End the applications and events that write there. Search the dump for rows that are equal in a unique key on this server. Restore again only after one of these causes is removed.';
const altered =
  'The target changed the definition when it ran the statement, or another session altered it later. Compare SHOW CREATE on the source and on the target, and find the setting or the version of the target that changes it. Restore again only after that cause is removed.';

/**
 * Backups without definitions counted the history of versioned tables, even if their dump does not contain the history.
 */
function countsLostHistory(
  { database, name = '' }: FoundDifference,
  expected: Inventory,
  dumpsHistory: Dialect['dumpsHistory'],
): boolean {
  if (expected.definitionsTaken !== undefined || dumpsHistory(expected)) return false;
  const objects = expected.databases.find((each) => each.name === database)?.objects;
  return objects?.['systemVersionedTables']?.includes(name) === true;
}

type Databases = Parameters<Engine['judgeDifference']>[1]['actual']['databases'];

function missingTable(difference: FoundDifference, databases: Databases): Loss {
  const { database, name = '' } = difference;
  const views = databases.find((each) => each.name === database)?.objects['views'] ?? [];
  if (views.includes(name)) return { sentence: `${table(difference)} is a view and no table`, help: altered };
  return { sentence: `the table ${table(difference)} is not there`, help: removed };
}

function judgeProperty({ database, part, expected, actual }: FoundDifference): Loss | null {
  // Servers before 10.5 store no comment of a database. A property that the server does not report is not a loss.
  if (part === 'comment' || actual === null || expected === null) return null;
  if (currentName(expected) === currentName(actual) || `${expected}mb3` === actual || `${actual}mb3` === expected) {
    return null;
  }
  const what = part === 'characterSet' ? 'character set' : 'collation';
  return {
    sentence: `the database '${database}' has the ${what} ${actual} instead of ${expected}`,
    help: collationHelp,
  };
}

const collationHelp =
  'The target has another default collation for that character set (see its variable character_set_collations): set the variable to the value of the source, or restore into a server of the same release.';

function judgeField(difference: FoundDifference): Loss | null {
  const { part, expected, actual } = difference;
  const sentence = (what: string) => `the table ${table(difference)} has ${what} ${actual} instead of ${expected}`;
  switch (part) {
    case 'engine':
      return {
        sentence: sentence('the storage engine'),
        help: 'The target created the table with a storage engine that differs from the backup. Check SHOW ENGINES and the variable enforce_storage_engine there.',
      };
    case 'collation':
      if (currentName(expected ?? '') === currentName(actual ?? '')) return null;
      return { sentence: sentence('the collation'), help: collationHelp };
    case 'type':
      if (expected === 'SYSTEM VERSIONED') {
        return { sentence: `the table ${table(difference)} is not system-versioned any more`, help: altered };
      }
      return { sentence: sentence('the type'), help: altered };
    case undefined:
    default:
      // A row format affects only the space that the table takes.
      return null;
  }
}

/** Kinds that only describe tables and are not restored themselves. */
const toldByName = new Set(['definers', 'transactionPreciseTables', 'systemVersionedTables']);
const singular: Readonly<Record<string, string>> = {
  views: 'view',
  procedures: 'procedure',
  functions: 'function',
  packages: 'package',
  packageBodies: 'package body',
  triggers: 'trigger',
  events: 'event',
  sequences: 'sequence',
};

function judgeObject(difference: FoundDifference, databases: Databases): Loss | null {
  const { kind = '', database, name = '' } = difference;
  // An event that has ended drops itself, so a missing event is not a loss.
  if (toldByName.has(kind) || kind === 'events') return null;
  const tables = databases.find((each) => each.name === database)?.tables ?? [];
  if (kind === 'views' && tables.some((each) => each.name === name)) {
    return { sentence: `the view '${database}.${name}' became a table`, help: altered };
  }
  return { sentence: `the ${object(difference)} is not there`, help: removed };
}

function judgeTablePart(difference: FoundDifference): Loss | null {
  const { part, expected, actual } = difference;
  if (expected === null) return null;
  if (part === undefined) return { sentence: `the table ${table(difference)} is defined otherwise`, help: altered };
  const [, kind = part, name] = /^(column|index|foreign key|check|period|option) (.*)$/s.exec(part) ?? [];
  const what = name === undefined ? kind : `${kind} '${name}'`;
  if (actual === null) return { sentence: `the table ${table(difference)} has no ${what}`, help: altered };
  return {
    sentence: `the ${what} of the table ${table(difference)} is ${actual} instead of ${expected}`,
    help: altered,
  };
}

function judgeObjectPart(difference: FoundDifference): Loss | null {
  const { kind, part, expected, actual } = difference;
  // The status of an event changes when it ends. A different definer is not a loss of the object. The number of
  // restarts of a sequence changes none of its values.
  if (part === 'status' || part === 'definer' || (kind === 'sequences' && part === 'rounds')) return null;
  if (kind === 'sequences' && part === 'next') {
    if (Number(actual) >= Number(expected)) return null;
    return {
      sentence: `the ${object(difference)} continues at ${actual} instead of ${expected}`,
      help: `Run on the target: SELECT SETVAL(${quoteName(difference.database)}.${quoteName(difference.name ?? '')}, ${expected}, 0);`,
    };
  }
  if (part === undefined) return { sentence: `the ${object(difference)} is defined otherwise`, help: altered };
  return {
    sentence: `the ${part} of the ${object(difference)} is ${actual ?? 'not there'} instead of ${expected ?? 'none'}`,
    help: altered,
  };
}

function table({ database, name }: FoundDifference): string {
  return `'${database}.${name}'`;
}

function object({ kind = '', database, name }: FoundDifference): string {
  return `${singular[kind] ?? kind} '${database}.${name}'`;
}
