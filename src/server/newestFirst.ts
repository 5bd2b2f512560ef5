const expressions = { createdAt: 'row.created_at', queuedAt: 'row.queued_at' } as const;

/** The order of a list by a time of its rows, the newest first, for `selectPage`. */
export function newestFirst<Time extends keyof typeof expressions>(time: Time) {
  return {
    expression: expressions[time],
    type: 'timestamptz',
    direction: 'DESC',
    textOf: (row: Readonly<Record<Time, Date>>) => row[time].toISOString(),
  } as const;
}
