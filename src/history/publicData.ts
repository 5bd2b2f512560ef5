/** Where we keep secrets, and what our storage client compares with: of no use to a client. Secrets are in no event. */
const internals = new Set(['credential', 'etag']);

/** An event's data without what is ours alone. */
export function publicData(data: unknown): unknown {
  if (Array.isArray(data)) return data.map(publicData);
  if (typeof data !== 'object' || data === null) return data;
  const kept = Object.entries(data).filter(([key]) => !internals.has(key));
  return Object.fromEntries(kept.map(([key, value]) => [key, publicData(value)]));
}
