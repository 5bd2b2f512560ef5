/**
 * The keys of our advisory locks, two numbers each. The migration of the event log also contains the key of the append
 * lock.
 */
export const advisoryLocks = {
  append: '5711029, 1',
  migration: '5711029, 2',
  rebuild: '5711029, 3',
  claim: '5711029, 4',
  /** The first number of the locks on single streams. A writer takes them after another writer was faster. */
  streams: 5711030,
} as const;
