import type { AnyDecider } from './decider.js';

export type VersionedData = { readonly schemaVersion: number; readonly data: Record<string, unknown> };

/**
 * Converts stored data of an event to the schema version that this program writes, one version after the other. Throws
 * if an upcaster is missing, or if a newer program wrote the data.
 */
export function upcast(
  decider: Pick<AnyDecider, 'streamType' | 'schemaVersions' | 'upcasters'> | undefined,
  type: string,
  stored: VersionedData,
): VersionedData {
  const today = decider?.schemaVersions?.[type] ?? 1;
  let { schemaVersion, data } = stored;
  if (decider === undefined) return stored;
  if (schemaVersion > today) {
    throw new Error(`${type} is stored in schema version ${schemaVersion}; this program knows ${today}.`);
  }
  for (; schemaVersion < today; schemaVersion += 1) {
    const step = decider.upcasters?.[`${type}@${schemaVersion}`];
    if (step === undefined) throw new Error(`${decider.streamType} has no upcaster ${type}@${schemaVersion}.`);
    data = step(data);
  }
  return { schemaVersion, data };
}
