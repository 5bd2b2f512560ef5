import type { Engine } from '../../engine.js';
import type { FoundDifference, Loss } from '../../inventoryDifference.js';

/** Decides whether a difference of a restored target is a loss, and what the user can do. */
export const judgeDifference: Engine['judgeDifference'] = (difference, { changesByItself }) => {
  const { what, expected, actual, part } = difference;
  const name = `'${difference.database}.${difference.name ?? ''}'`;
  switch (what) {
    case 'DATABASE':
      return { sentence: `the database '${difference.database}' is not there`, help: removed };
    case 'TABLE':
      return { sentence: `the collection ${name} is not there`, help: removed };
    case 'ROWS':
      if (changesByItself || Number(actual) >= Number(expected)) return null;
      return { sentence: `the collection ${name} has ${actual} of ${expected} documents`, help: lessDocuments };
    case 'FIELD':
      return part === 'type' ? { sentence: `${name} is a ${actual} instead of a ${expected}`, help: altered } : null;
    case 'OBJECT':
      return isAccount(difference) ? null : { sentence: `the view ${name} is not there`, help: removed };
    case 'DEFINITION':
      return isAccount(difference) ? null : judgeDefinition(difference, name);
    case 'PROPERTY':
      return null;
  }
};

const removed =
  'It was created and then dropped, or its creation failed without an error. Read the log of the target, and restore again when no other session writes there.';
const lessDocuments =
  'Another session deleted documents on the target during the restore, or the target did not store them. Read the log of the target, and restore again when no other session writes there.';
const altered =
  'Compare db.getCollectionInfos() and getIndexes() of the source and of the target, and read the log of the target. Restore again only after the cause is removed.';

/** A restore does not create users and roles. A warning of the preflight lists them. */
function isAccount({ kind }: FoundDifference): boolean {
  return kind === 'users' || kind === 'roles';
}

function judgeDefinition({ part, expected, actual, kind }: FoundDifference, name: string): Loss | null {
  // Something that the target has in addition, for example an option with its default, is no loss.
  if (expected === null) return null;
  const what = `the ${kind === 'views' ? 'view' : 'collection'} ${name}`;
  if (part === undefined) return { sentence: `${what} is defined otherwise`, help: altered };
  const [, sort = 'part', own = part] = /^(option|index) (.*)$/s.exec(part) ?? [];
  if (actual === null) return { sentence: `${what} has no ${sort} '${own}'`, help: altered };
  return { sentence: `the ${sort} '${own}' of ${what} is ${actual} instead of ${expected}`, help: altered };
}
