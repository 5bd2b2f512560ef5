import { installationMarker } from '../archive/layout.js';
import { StowageError } from '../errors.js';
import type { Storage } from '../storage/storage.js';

/**
 * `<prefix>/.stowage.json` says which installation owns a prefix: two that wrote to one would each take the other's
 * backups for something unknown. Only who owns it overwrites it.
 */
export type PrefixOwner = 'NOBODY' | 'US' | 'OTHERS';

/** What the marker of a prefix holds; `installation` is undefined where nobody can read it. */
export type Marker = {
  readonly installation: string | undefined;
  /** Renewed by the installation that lives there (see `refuseUnlessOurs`); undefined until it first is. */
  readonly mark: string | undefined;
};

/** The storage's errors pass, but for a container or folder that does not exist yet: it has no marker. */
export async function readMarker(storage: Storage, prefix: string, signal: AbortSignal): Promise<Marker | undefined> {
  try {
    const name = installationMarker(prefix);
    const found = await storage.head(name, { signal });
    if (found === undefined) return undefined;
    if (found.sizeBytes > largestMarkerBytes) return { installation: undefined, mark: undefined };
    const pieces: Uint8Array[] = [];
    for await (const piece of storage.get(name, { signal, etag: found.etag })) pieces.push(piece);
    return parseMarker(Buffer.concat(pieces));
  } catch (error) {
    if (error instanceof StowageError && error.code === 'ENDPOINT_NOT_FOUND') return undefined;
    throw error;
  }
}

/** Who owns the prefix, by its marker. Throws what `readMarker` throws. */
export async function prefixOwner(
  storage: Storage,
  prefix: string,
  installationId: string,
  signal: AbortSignal,
): Promise<PrefixOwner> {
  return ownerOf(await readMarker(storage, prefix, signal), installationId);
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
    await refuseOthers(storage, prefix, installationId, signal);
  }
}

/** Replaces the marker of a prefix, which is ours, by one with a new mark. */
export async function writeMark(
  storage: Storage,
  prefix: string,
  marker: { readonly installationId: string; readonly mark: string },
  signal: AbortSignal,
): Promise<void> {
  const bytes = Buffer.from(`${markerText(marker.installationId, marker.mark)}\n`);
  await storage.putBytes(installationMarker(prefix), bytes, { signal, overwrite: true });
}

/**
 * Throws CONFLICT where the prefix is another installation's, else answers its marker. A folder that bears no mark at all is ENDPOINT_NOT_FOUND:
 * its disk is not mounted, and what is written below the mount point, or not found there, says nothing about the disk.
 */
export async function refuseForeignPrefix(
  storage: Storage,
  prefix: string,
  installationId: string,
  signal: AbortSignal,
): Promise<Marker | undefined> {
  const marker = await refuseOthers(storage, prefix, installationId, signal);
  if (ownerOf(marker, installationId) === 'US' || storage.kind !== 'FILESYSTEM') return marker;
  throw new StowageError(
    'ENDPOINT_NOT_FOUND',
    `The folder of the file endpoint has no ${installationMarker(prefix)}.`,
    {
      help: `Mount the file system that belongs there. If it was emptied on purpose, put the file back with this line in it: ${markerText(installationId)}`,
    },
  );
}

/** Throws CONFLICT where the prefix is another installation's, saying whose, else answers its marker, if it has one. */
export async function refuseOthers(
  storage: Storage,
  prefix: string,
  installationId: string,
  signal: AbortSignal,
): Promise<Marker | undefined> {
  const marker = await readMarker(storage, prefix, signal);
  if (ownerOf(marker, installationId) !== 'OTHERS') return marker;
  const where = prefix === '' ? 'The place' : `The prefix "${prefix}"`;
  const owner = /^[\w-]{1,64}$/.exec(marker?.installation ?? '')?.[0];
  throw new StowageError(
    'CONFLICT',
    `${where} belongs to another Stowage installation${owner === undefined ? '' : ` (${owner})`}: ${installationMarker(prefix)} says so.`,
    {
      help: 'Choose another prefix. If that installation is gone for good, delete the file and try again.',
    },
  );
}

const largestMarkerBytes = 64 * 1024;

function ownerOf(marker: Marker | undefined, installationId: string): PrefixOwner {
  if (marker === undefined) return 'NOBODY';
  return marker.installation === installationId ? 'US' : 'OTHERS';
}

function markerText(installationId: string, mark?: string): string {
  return JSON.stringify({ format: 1, installation: installationId, ...(mark === undefined ? {} : { mark }) });
}

function parseMarker(bytes: Buffer): Marker {
  let marker: unknown;
  try {
    marker = JSON.parse(bytes.toString('utf8'));
  } catch {
    marker = null;
  }
  const field = (name: string): string | undefined => {
    const value: unknown = typeof marker === 'object' && marker !== null ? Reflect.get(marker, name) : undefined;
    return typeof value === 'string' ? value : undefined;
  };
  return { installation: field('installation'), mark: field('mark') };
}
