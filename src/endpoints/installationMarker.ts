import { installationMarker } from '../archive/layout.js';
import { StowageError } from '../errors.js';
import type { Storage } from '../storage/storage.js';

/**
 * `<prefix>/.stowage.json` says which installation owns a prefix: two that wrote to one would each take the other's
 * backups for something unknown. It is never overwritten.
 */
export type PrefixOwner = 'NOBODY' | 'US' | 'OTHERS';

/** The storage's errors pass, but for a container or folder that does not exist yet: it is nobody's. */
export async function prefixOwner(
  storage: Storage,
  prefix: string,
  installationId: string,
  signal: AbortSignal,
): Promise<PrefixOwner> {
  try {
    const found = await storage.head(installationMarker(prefix), { signal });
    if (found === undefined) return 'NOBODY';
    if (found.sizeBytes > largestMarkerBytes) return 'OTHERS';
    const pieces: Uint8Array[] = [];
    for await (const piece of storage.get(installationMarker(prefix), { signal, etag: found.etag })) pieces.push(piece);
    return readInstallation(Buffer.concat(pieces)) === installationId ? 'US' : 'OTHERS';
  } catch (error) {
    if (error instanceof StowageError && error.code === 'ENDPOINT_NOT_FOUND') return 'NOBODY';
    throw error;
  }
}

/** Makes the prefix ours. Throws CONFLICT where it is another installation's, else the storage's errors. */
export async function claimPrefix(
  storage: Storage,
  prefix: string,
  installationId: string,
  signal: AbortSignal,
): Promise<void> {
  const marker = Buffer.from(`${markerText(installationId)}\n`);
  try {
    await storage.putBytes(installationMarker(prefix), marker, { signal });
  } catch (error) {
    if (!(error instanceof StowageError) || error.code !== 'CONFLICT') throw error;
    if ((await prefixOwner(storage, prefix, installationId, signal)) === 'OTHERS') throw ownedByOthers(prefix);
  }
}

/**
 * Throws CONFLICT where the prefix is another installation's. A folder that bears no mark at all is ENDPOINT_NOT_FOUND:
 * its disk is not mounted, and what is written below the mount point, or not found there, says nothing about the disk.
 */
export async function refuseForeignPrefix(
  storage: Storage,
  prefix: string,
  installationId: string,
  signal: AbortSignal,
): Promise<void> {
  const owner = await prefixOwner(storage, prefix, installationId, signal);
  if (owner === 'OTHERS') throw ownedByOthers(prefix);
  if (owner === 'US' || storage.kind !== 'FILESYSTEM') return;
  throw new StowageError(
    'ENDPOINT_NOT_FOUND',
    `The folder of the file endpoint has no ${installationMarker(prefix)}.`,
    {
      help: `Mount the file system that belongs there. If it was emptied on purpose, put the file back with this line in it: ${markerText(installationId)}`,
    },
  );
}

export function ownedByOthers(prefix: string): StowageError {
  const where = prefix === '' ? 'The place' : `The prefix "${prefix}"`;
  return new StowageError(
    'CONFLICT',
    `${where} belongs to another Stowage installation: ${installationMarker(prefix)} says so.`,
    {
      help: 'Choose another prefix. If that installation is gone for good, delete the file and try again.',
    },
  );
}

const largestMarkerBytes = 64 * 1024;

function markerText(installationId: string): string {
  return JSON.stringify({ format: 1, installation: installationId });
}

function readInstallation(bytes: Buffer): unknown {
  try {
    const marker: unknown = JSON.parse(bytes.toString('utf8'));
    return typeof marker === 'object' && marker !== null && 'installation' in marker ? marker.installation : undefined;
  } catch {
    return undefined;
  }
}
