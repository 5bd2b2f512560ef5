/** Conditions on a row `worker` of the registry. */

export const isLost = "worker.last_heard_at < clock_timestamp() - worker.lost_after_ms * interval '1 millisecond'";

/** The worker reports, and is not stopping. */
export const accepts = `NOT worker.draining AND NOT ${isLost}`;

/**
 * The worker has the tools of the engine that this SQL expression names. After the engine it may name a tool and its oldest
 * version (`needsMetBy`). A version that is no number counts as too old.
 */
export function hasToolsOf(engine: string): string {
  const word = (place: number) => `split_part(${engine}, ' ', ${place})`;
  const isNewEnough = `CASE WHEN tool.version ~ '^[0-9]+([.][0-9]+)*$'
    THEN string_to_array(tool.version, '.')::integer[] >= string_to_array(${word(3)}, '.')::integer[] ELSE false END`;
  return `(worker.engines @> jsonb_build_array(jsonb_build_object('engine', ${word(1)})) AND (${word(2)} = '' OR EXISTS (
    SELECT FROM jsonb_to_recordset(worker.engines) AS tool (engine text, tool text, version text)
    WHERE tool.engine = ${word(1)} AND tool.tool = ${word(2)} AND ${isNewEnough}
  )))`;
}
