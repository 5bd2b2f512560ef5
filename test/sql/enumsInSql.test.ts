/**
 * A list of enum members in SQL silently excludes members that are added later. So each list must be one of these sets.
 * For every new member the compiler requires a decision here whether it belongs to the set. If it does, the statements
 * must list it too.
 */
import { expect, test } from '@jest/globals';
import type { BackupJobRow } from '../../src/backups/backupJobView.js';
import { sourcesBelow } from './sourcesBelow.js';
import { textsOf } from './textsOf.js';

type Members<Enum extends string> = Readonly<Record<Enum, boolean>>;

const statusSets: readonly Members<BackupJobRow['status']>[] = [
  // Jobs that have not ended.
  { QUEUED: true, RUNNING: true, SUCCEEDED: false, FAILED: false, CANCELLED: false, SKIPPED: false },
];
const availabilitySets: readonly Members<NonNullable<BackupJobRow['availability']>>[] = [
  // Backups that are listed and occupy an endpoint.
  { STORED: true, DELETING: true, MISSING: true, DELETED: false },
  // Backups that the container should hold.
  { STORED: true, DELETING: false, MISSING: true, DELETED: false },
];
const triggerSets: readonly Members<BackupJobRow['trigger']>[] = [
  // Jobs that a tick has created.
  { SCHEDULE: true, CATCH_UP: true, RETRY: false, MANUAL: false, SAFETY: false },
];
const sets: Readonly<Record<string, readonly Members<string>[]>> = {
  status: statusSets,
  availability: availabilitySets,
  trigger: triggerSets,
};

test('each list of enum members in SQL is a set that is checked for new members', async () => {
  const lists = (await sourcesBelow('src')).flatMap(({ path, text }) =>
    textsOf(path, text).flatMap((sql) =>
      [...sql.matchAll(/\b(status|availability|trigger) (?:NOT )?IN \(('[^)]*)\)/g)].map(
        ([, column = '', list = '']) => ({
          ...{ path, column },
          members: list.split(',').map((member) => member.trim().slice(1, -1)),
        }),
      ),
    ),
  );
  expect(lists.length).toBeGreaterThan(5);
  const unknown = lists.filter(({ column, members }) => !(sets[column] ?? []).some((set) => isSameSet(set, members)));
  expect(unknown).toEqual([]);
});

function isSameSet(set: Members<string>, members: readonly string[]): boolean {
  const expected = Object.keys(set).filter((member) => set[member] === true);
  return expected.toSorted().join() === members.toSorted().join();
}
