import { installationMarker } from '../archive/layout.js';
import { StowageError } from '../errors.js';
import type { Storage } from '../storage/storage.js';
import { projectMark, projectMarksIn, type PlaceOwner } from './projectMark.js';

/**
 * The owner of a prefix, named in its marker `<prefix>/.stowage.json`. Two installations must not share a prefix,
 * because neither knows the backups of the other. Only the owner overwrites the marker.
 */
type PrefixOwner = 'NOBODY' | 'US' | 'OTHERS';

/** The content of a marker. `installation` is undefined if the marker is unreadable. */
export type Marker = {
  readonly installation: string | undefined;
  /** The latest mark. The owner renews it regularly (see `refuseUnlessOurs`). Undefined before the first renewal. */
  readonly mark: string | undefined;
  /**
   * The marks of the projects that use the place (`projectMark`). Empty: the marker is older than this rule. Several
   * projects shared the place before it.
   */
  readonly projects: readonly string[];
};

/** Throws what the storage throws. A container or folder that does not exist yet has no marker. */
export async function readMarker(storage: Storage, prefix: string, signal: AbortSignal): Promise<Marker | undefined> {
  try {
    const name = installationMarker(prefix);
    const found = await storage.head(name, { signal });
    if (found === undefined) return undefined;
    if (found.sizeBytes > largestMarkerBytes) return { installation: undefined, mark: undefined, projects: [] };
    const pieces: Uint8Array[] = [];
    for await (const piece of storage.get(name, { signal, etag: found.etag })) pieces.push(piece);
    return parseMarker(Buffer.concat(pieces));
  } catch (error) {
    if (error instanceof StowageError && error.code === 'ENDPOINT_NOT_FOUND') return undefined;
    throw error;
  }
}

/**
 * Claims the prefix for a project of this installation, unless a marker is there. Returns the marker that is there now: of
 * two claims at the same time, the later one may have replaced the earlier one. Throws CONFLICT if another installation
 * owns the prefix, and otherwise what the storage throws.
 */
export async function claimPrefix(
  storage: Storage,
  prefix: string,
  owner: PlaceOwner,
  signal: AbortSignal,
): Promise<Marker | undefined> {
  const marker = Buffer.from(`${markerText({ ...owner, projects: [projectMark(owner)] })}\n`);
  try {
    await storage.putBytes(installationMarker(prefix), marker, { signal });
  } catch (error) {
    if (!(error instanceof StowageError) || error.code !== 'CONFLICT') throw error;
  }
  return refuseOthers(storage, prefix, owner.installationId, signal);
}

/** Replaces the marker of a prefix that is ours by a marker with a new mark. */
export async function writeMark(
  storage: Storage,
  prefix: string,
  marker: MarkerContent & { readonly mark: string },
  signal: AbortSignal,
): Promise<void> {
  const bytes = Buffer.from(`${markerText(marker)}\n`);
  await storage.putBytes(installationMarker(prefix), bytes, { signal, overwrite: true });
}

/**
 * Returns the marker of the prefix. Throws CONFLICT if another installation owns it. Throws ENDPOINT_NOT_FOUND for a
 * folder without a marker: its disk is not mounted, and the mount point shows no file of the disk.
 */
export async function refuseForeignPrefix(
  storage: Storage,
  prefix: string,
  installationId: string,
  signal: AbortSignal,
): Promise<Marker | undefined> {
  const marker = await refuseOthers(storage, prefix, installationId, signal);
  if (ownerOf(marker, installationId) === 'US' || !storage.needsMarker) return marker;
  throw new StowageError(
    'ENDPOINT_NOT_FOUND',
    `The folder of the file endpoint has no ${installationMarker(prefix)}.`,
    {
      help: `Mount the right file system there. If it was emptied intentionally, create the file again with this line: ${markerText({ installationId })}`,
    },
  );
}

/**
 * Returns the marker of the prefix, if it has one. If another installation owns it, throws CONFLICT naming the owner.
 */
export async function refuseOthers(
  storage: Storage,
  prefix: string,
  installationId: string,
  signal: AbortSignal,
): Promise<Marker | undefined> {
  const marker = await readMarker(storage, prefix, signal);
  if (ownerOf(marker, installationId) !== 'OTHERS') return marker;
  const where = placeName(prefix);
  const owner = /^[\w-]{1,64}$/.exec(marker?.installation ?? '')?.[0];
  throw new StowageError(
    'CONFLICT',
    `${where} belongs to another Stowage installation${owner === undefined ? '' : ` (${owner})`}, according to ${installationMarker(prefix)}.`,
    {
      help: 'Choose another prefix. If that installation no longer exists, delete the file and try again.',
    },
  );
}

const largestMarkerBytes = 64 * 1024;

function ownerOf(marker: Marker | undefined, installationId: string): PrefixOwner {
  if (marker === undefined) return 'NOBODY';
  return marker.installation === installationId ? 'US' : 'OTHERS';
}

/** The subject of a sentence about a prefix. */
export function placeName(prefix: string): string {
  return prefix === '' ? 'The place' : `The prefix "${prefix}"`;
}

type MarkerContent = {
  readonly installationId: string;
  readonly mark?: string;
  readonly projects?: readonly string[];
};

/** Older versions read `installation` and `mark`, and ignore every other field. */
function markerText({ installationId, mark, projects }: MarkerContent): string {
  return JSON.stringify({
    ...{ format: 1, installation: installationId },
    ...(mark === undefined ? {} : { mark }),
    ...(projects === undefined ? {} : { projects }),
  });
}

function parseMarker(bytes: Buffer): Marker {
  let marker: unknown;
  try {
    marker = JSON.parse(bytes.toString('utf8'));
  } catch {
    marker = null;
  }
  const field = (name: string): unknown =>
    typeof marker === 'object' && marker !== null ? Reflect.get(marker, name) : undefined;
  const textOf = (name: string): string | undefined => {
    const value = field(name);
    return typeof value === 'string' ? value : undefined;
  };
  return { installation: textOf('installation'), mark: textOf('mark'), projects: projectMarksIn(field('projects')) };
}
