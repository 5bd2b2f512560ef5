/** The two-number keys of our advisory locks; the append lock's are also written in the migration of the event log. */
export const advisoryLocks = {
  append: '5711029, 1',
  migration: '5711029, 2',
  rebuild: '5711029, 3',
  /** The first number of the locks on single streams, which writers take who were too late before. */
  streams: 5711030,
} as const;
