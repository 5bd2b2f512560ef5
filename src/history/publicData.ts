/** Internal fields: references into the vault, and checksums of the storage client. No event holds a secret. */
const internals = new Set(['credential', 'etag']);

/** An event's data without the internal fields. */
export function publicData(data: unknown): unknown {
  if (Array.isArray(data)) return data.map(publicData);
  if (typeof data !== 'object' || data === null) return data;
  const publicEntries = Object.entries(data).filter(([key]) => !internals.has(key));
  return Object.fromEntries(publicEntries.map(([key, value]) => [key, publicData(value)]));
}
