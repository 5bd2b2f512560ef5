import type { Engine } from '../../engine.js';
import type { FoundDifference, Loss } from '../../inventoryDifference.js';
import { settingsOf, withoutSecrets } from '../catalog/databases.js';
import { isOtherDistribution } from './hashPartitions.js';

/** Decides whether a difference of a restored target is a loss, and what the user can do. */
export const judgeDifference: Engine['judgeDifference'] = (difference, inventories) => {
  const { what, expected, actual, database, name = '' } = difference;
  switch (what) {
    case 'DATABASE':
      return { sentence: `the database '${database}' is not there`, help: removed };
    case 'TABLE':
      return { sentence: `the table ${object(difference)} is not there`, help: removed };
    case 'ROWS':
      if (Number(actual) >= Number(expected) || isOtherDistribution(database, name, inventories)) return null;
      return { sentence: `the table ${object(difference)} has ${actual} of ${expected} rows`, help: lessRows };
    case 'PROPERTY':
      return judgeProperty(difference, inventories);
    case 'FIELD':
      return { sentence: `${object(difference)} is ${actual} instead of ${expected}`, help: altered };
    case 'OBJECT':
      return {
        sentence: `'${name}' of the ${difference.kind} of '${database}' is not there`,
        help: removed,
      };
    case 'DEFINITION':
      return judgeDefinition(difference);
  }
};

const removed =
  'It was dropped after it was restored. Find the session that dropped it in the log of the target, and restore again when no other session writes there.';
const lessRows =
  'Another session deleted rows on the target during the restore, or a trigger or rule of the target did not store them. End the applications that write there, then restore again.';
const altered =
  'The target created the object in another way, or another session altered it later. Compare the two with psql (\\d+), and restore again when the cause is removed.';

function judgeProperty(
  { database, part, expected, actual }: FoundDifference,
  inventories: Parameters<Engine['judgeDifference']>[1],
): Loss | null {
  // The preflight of a restore warns of it.
  if (part === 'collationVersion') return null;
  // An older backup has the values that are now left out.
  if (
    part === 'settings' &&
    expected !== null &&
    actual !== null &&
    withoutSecrets(isOtherVersion(inventories) ? knownIn(expected, actual) : expected) === withoutSecrets(actual)
  ) {
    return null;
  }
  // A server of another version has locales of other providers and names.
  if (expected === null || actual === null)
    return part === 'comment' && expected !== null ? lost(database, part) : null;
  // The value of a setting may be a secret of an application.
  const values = part === 'settings' ? '' : `: ${actual} instead of ${expected}`;
  return {
    sentence: `the database '${database}' has another ${part ?? 'property'}${values}`,
    help: altered,
  };
}

function isOtherVersion({ expected, actual }: Parameters<Engine['judgeDifference']>[1]): boolean {
  return Number.parseInt(expected.serverVersion) !== Number.parseInt(actual.serverVersion);
}

/** Without the settings of names that the target has nowhere: its version may not know them. */
function knownIn(expected: string, actual: string): string {
  const names = new Set(settingsOf({ settings: actual }).map(({ name }) => name));
  return JSON.stringify(settingsOf({ settings: expected }).filter(({ name }) => names.has(name)));
}

function lost(database: string, part: string): Loss {
  return { sentence: `the database '${database}' has lost its ${part}`, help: altered };
}

/** Something that only the target has is no loss, except for privileges, which are one text. */
function judgeDefinition(difference: FoundDifference): Loss | null {
  const { part, expected, actual, kind } = difference;
  if (expected === null) return null;
  const what = part === undefined ? 'definition' : part;
  if (kind === 'extensions') return null; // The target installs the version that it has.
  if (actual === null) return { sentence: `${object(difference)} has lost its ${what}`, help: altered };
  return { sentence: `${object(difference)} differs in its ${what}`, help: altered };
}

function object({ database, kind, name = '' }: FoundDifference): string {
  return kind === 'tables' ? `'${database}.${name}'` : `'${name}' of the ${kind ?? 'objects'} of '${database}'`;
}
