import type { DataSource, EntityManager } from 'typeorm';
import { StowageError } from '../errors.js';
import type { PrefixMarks } from '../postgres/contracts/prefixMarks.js';
import type { Storage } from '../storage/storage.js';
import type { EndpointSettings, StorageKind } from '../storage/storageKind.js';
import type { StorageKinds } from '../storage/storageKinds.js';
import { findEndpointsAlike, findFileEndpoint } from './fileEndpointQueries.js';
import { placeName, readMarker, type Marker } from './installationMarker.js';
import { projectMark } from './projectMark.js';

/**
 * Two projects never use one place: the same container and prefix, or, for folders, also one folder inside the other. The
 * read model shows this for endpoints whose settings name the same place, and the marker that is found at the place for
 * all others. Endpoints that shared a place before this rule keep it, and their check names this.
 */
export type NeighbourTools = {
  readonly installationId: string;
  readonly dataSource: DataSource;
  readonly storages: StorageKinds;
  readonly prefixMarks: Pick<PrefixMarks, 'writerOf'>;
};

/** The place that an endpoint leads to, or would lead to after a change. */
export type Place = {
  readonly projectId: string;
  /** Absent for a new endpoint. */
  readonly fileEndpointId?: string;
  readonly settings: EndpointSettings;
  readonly prefix: string;
  /** Whether the stored endpoint already leads there. Then it keeps the place, whoever else uses it. */
  readonly isHeld: boolean;
};

/**
 * Throws CONFLICT if another project uses the place, or another endpoint in the same tree of folders. For a place that is
 * held, it throws nothing and returns the sentence that names this, if there is something to name.
 */
export async function refuseNeighbours(
  tools: NeighbourTools,
  storage: Storage,
  place: Place,
  signal: AbortSignal,
): Promise<string | undefined> {
  const found = await findNeighbour(tools, storage, place, signal);
  if (found === undefined) return undefined;
  if (!place.isHeld) throw refusal(place, found);
  if (found.kind === 'ENDPOINT') return `File endpoint "${found.name}" of this project uses the place too.`;
  return 'Another project uses this place too. Create a file endpoint at another place for new backups.';
}

/**
 * Throws CONFLICT if a stored endpoint uses the place. Takes a lock until the end of the transaction. So of several
 * transactions that save endpoints at one place, only the first one succeeds.
 */
export async function refuseTakenPlace(manager: EntityManager, storages: StorageKinds, place: Place): Promise<void> {
  if (place.isHeld) return;
  await manager.query("SELECT pg_advisory_xact_lock(hashtextextended('places of file endpoints', 0))");
  const found = await findStoredNeighbour(manager, storages, place);
  if (found !== undefined) throw refusal(place, found);
}

/** Throws CONFLICT if the marker names other projects only. The marker was read after the place was claimed. */
export async function refuseClaimedPlace(
  tools: NeighbourTools,
  marker: Marker | undefined,
  place: Place,
): Promise<void> {
  if (place.isHeld || !(await belongsToOthers(tools, marker, place.projectId))) return;
  throw refusal(place, { kind: 'PROJECT' });
}

type Neighbour = { readonly kind: 'PROJECT' } | { readonly kind: 'ENDPOINT'; readonly name: string };

async function findNeighbour(
  tools: NeighbourTools,
  storage: Storage,
  place: Place,
  signal: AbortSignal,
): Promise<Neighbour | undefined> {
  const { projectId, prefix } = place;
  const marker = await readMarker(storage, prefix, signal);
  const isShared = place.isHeld && marker?.projects.some((each) => each !== projectMark({ ...tools, projectId }));
  if (isShared === true || (await belongsToOthers(tools, marker, projectId))) return { kind: 'PROJECT' };
  if (!place.isHeld && (await liesInPlaceOfOthers(tools, place, signal))) return { kind: 'PROJECT' };
  return findStoredNeighbour(tools.dataSource.manager, tools.storages, place);
}

/** Checks the markers of the folders around a folder, up to the root. */
async function liesInPlaceOfOthers(tools: NeighbourTools, place: Place, signal: AbortSignal): Promise<boolean> {
  const kind = tools.storages.of(place.settings);
  const outermost = kind.fromOutermost?.(place.settings, place.prefix);
  if (outermost === undefined) return false;
  const storage = kind.target(outermost.settings, null).open();
  try {
    const parts = outermost.prefix.split('/').filter((part) => part !== '');
    for (let depth = 0; depth < parts.length; depth += 1) {
      const around = parts.slice(0, depth).map((part) => `${part}/`);
      const marker = await readMarker(storage, around.join(''), signal);
      if (marker === undefined) continue;
      const isOurs = marker.installation === tools.installationId;
      if (!isOurs || (await belongsToOthers(tools, marker, place.projectId))) return true;
    }
    return false;
  } finally {
    await storage.close();
  }
}

/**
 * Whether a marker of this installation names other projects only. An older marker names no project: it belongs to the
 * project of the endpoint whose mark it holds, while that endpoint exists.
 */
export async function belongsToOthers(
  { installationId, dataSource, prefixMarks }: NeighbourTools,
  marker: Marker | undefined,
  projectId: string,
): Promise<boolean> {
  if (marker === undefined || marker.installation !== installationId) return false;
  if (marker.projects.length > 0) return !marker.projects.includes(projectMark({ installationId, projectId }));
  if (marker.mark === undefined) return false;
  const writerId = await prefixMarks.writerOf(marker.mark);
  const writer = writerId === undefined ? null : await findFileEndpoint(dataSource.manager, writerId);
  return writer !== null && writer.removedAt === null && writer.projectId !== projectId;
}

async function findStoredNeighbour(
  manager: EntityManager,
  storages: StorageKinds,
  place: Place,
): Promise<Neighbour | undefined> {
  const { projectId, fileEndpointId, settings, prefix } = place;
  const kind = storages.of(settings);
  const own = kind.spelledOut(settings, prefix);
  const rows = await findEndpointsAlike(manager, { kind: settings.kind, ...kind.writtenAlike(settings) });
  const found = rows.filter(
    (row) => row.id !== fileEndpointId && overlaps(kind, own, kind.spelledOut(row.settings, row.prefix)),
  );
  if (found.some((row) => row.projectId !== projectId)) return { kind: 'PROJECT' };
  const [first] = found;
  // Two endpoints of one project may write to one container, for example with different users.
  return first === undefined || kind.fromOutermost === undefined ? undefined : { kind: 'ENDPOINT', name: first.name };
}

function overlaps(kind: StorageKind, one: readonly string[], other: readonly string[]): boolean {
  const [shorter, longer] = one.length <= other.length ? [one, other] : [other, one];
  if (kind.fromOutermost === undefined && shorter.length !== longer.length) return false;
  return shorter.every((part, index) => part === longer[index]);
}

/** Names nothing of another project. */
function refusal({ prefix }: Place, neighbour: Neighbour): StowageError {
  const where = placeName(prefix);
  if (neighbour.kind === 'PROJECT') {
    return new StowageError('CONFLICT', `${where} belongs to another project.`, { help: 'Choose another prefix.' });
  }
  return new StowageError('CONFLICT', `${where} is in use by file endpoint "${neighbour.name}" of this project.`, {
    help: 'Use that file endpoint, or choose a folder that is neither inside nor around its folder.',
  });
}
