/** Conditions on a row `worker` of the registry. */

export const isLost = "worker.last_heard_at < clock_timestamp() - worker.lost_after_ms * interval '1 millisecond'";

/** The worker reports, and is not stopping. */
export const accepts = `NOT worker.draining AND NOT ${isLost}`;

/** The worker has the tools of the engine that this SQL expression names. */
export function hasToolsOf(engine: string): string {
  return `worker.engines @> jsonb_build_array(jsonb_build_object('engine', ${engine}))`;
}
