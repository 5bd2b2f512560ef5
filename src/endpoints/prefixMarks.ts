import { StowageError } from '../errors.js';
import type { MarkedPrefix, PrefixMarks } from '../postgres/contracts/prefixMarks.js';
import type { Storage } from '../storage/storage.js';
import { readMarker, refuseForeignPrefix, writeMark } from './installationMarker.js';
import { projectMark } from './projectMark.js';

export type MarkTools = {
  readonly installationId: string;
  readonly prefixMarks: PrefixMarks;
  readonly times: {
    /**
     * How long a database only checks the marks after it moved to a new server. This is longer than the renewal of all
     * marks takes.
     */
    readonly watch: number;
  };
};

/**
 * Throws if this process may delete nothing below the prefix. It throws what `refuseForeignPrefix` throws. It throws
 * CONFLICT if this database is a copy of the installation's, or if another copy is active. Both copies know the same
 * backups, so one would delete backups that the other relies on.
 */
export async function refuseUnlessOurs(
  tools: MarkTools,
  storage: Storage,
  prefix: string,
  signal: AbortSignal,
): Promise<void> {
  await refuseCopy(tools);
  const marker = await refuseForeignPrefix(storage, prefix, tools.installationId, signal);
  if (marker?.mark !== undefined && !(await tools.prefixMarks.knows(marker.mark))) throw renewedByOthers(prefix);
}

/**
 * Writes a new mark into the marker of a prefix, so that a copy of this database can see that this database is active.
 * Throws what `refuseUnlessOurs` throws, without writing. After `stowage adopt-prefixes`, any mark of the installation
 * is replaced. The marker then names the project of the endpoint, beside the projects that it has named before. Returns
 * whether it names others.
 */
export async function renewMark(
  tools: MarkTools,
  storage: Storage,
  place: MarkedPrefix & { readonly projectId: string },
  signal: AbortSignal,
): Promise<boolean> {
  const { installationId, prefixMarks } = tools;
  const { prefix } = place;
  await refuseCopy(tools);
  const marker = await refuseForeignPrefix(storage, prefix, installationId, signal);
  const isKnown = marker?.mark === undefined || (await prefixMarks.knows(marker.mark));
  const { mark, takesOver } = await prefixMarks.next(place);
  if (!isKnown && !takesOver) throw renewedByOthers(prefix);
  const named = marker?.projects ?? [];
  const projects = [...new Set([...named, projectMark({ installationId, projectId: place.projectId })])];
  await writeMark(storage, prefix, { installationId, mark, projects }, signal);
  const written = await readMarker(storage, prefix, signal);
  if (written?.mark !== mark) throw renewedByOthers(prefix);
  await prefixMarks.confirm(place, mark);
  return projects.length > 1;
}

/**
 * Throws CONFLICT while this database may be a copy of the installation's database, so that nothing is deleted in any
 * container.
 */
export async function refuseCopy({ prefixMarks, times }: Omit<MarkTools, 'installationId'>): Promise<void> {
  const standing = await prefixMarks.standing(times.watch);
  if (standing.kind === 'COPY') {
    throw new StowageError(
      'CONFLICT',
      "This database is a copy of the installation's database, so nothing is deleted.",
      {
        help: `It was restored or cloned to its current server. ${wayOut}`,
      },
    );
  }
  if (standing.kind === 'WATCHING') {
    throw new StowageError(
      'CONFLICT',
      `The database is on a new server, so nothing is deleted until ${standing.until.toISOString()}.`,
      {
        help: 'Until then this installation checks whether a copy of the database is active elsewhere. You need not do anything.',
      },
    );
  }
}

function renewedByOthers(prefix: string): StowageError {
  const where = prefix === '' ? 'The place' : `The prefix "${prefix}"`;
  return new StowageError('CONFLICT', `${where} is in use by another copy of this database, so nothing is deleted.`, {
    help: `Another process with the id of this installation has renewed its marker. ${wayOut}`,
  });
}

const wayOut =
  'If the installation has moved here and no other copy runs, run: stowage adopt-prefixes. Otherwise give the copy its own credentials.';
