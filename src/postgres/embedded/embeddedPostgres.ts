import { randomBytes } from 'node:crypto';
import { chmod, chown, mkdir, readFile, realpath, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Client } from 'pg';
import { StowageError } from '../../errors.js';
import { Secret } from '../../secret.js';
import { prepareRoles } from '../roles.js';
import { initCluster, serverUser, startCluster, type ServerBinaries, type SystemUser } from './cluster.js';
import { lockFolder } from './folderLock.js';
import { endOrphan } from './orphan.js';
import { findServerBinaries, firstClosedFolder, reachableBinaries } from './serverBinaries.js';

export type EmbeddedPostgres = {
  /** Connects as the role that owns the tables and migrates. */
  readonly ownerUrl: string;
  /** Connects as the role of the program. */
  readonly appUrl: string;
  /** Resolves when the server has ended, also unexpectedly. */
  readonly ended: Promise<void>;
  /** Stops the server and unlocks the folder. */
  stop(): Promise<void>;
};

const roles = { admin: 'stowage_admin', owner: 'stowage_owner', app: 'stowage_app' } as const;
const database = 'stowage';

type Passwords = Readonly<Record<keyof typeof roles, string>>;

/**
 * Starts a PostgreSQL server that only this machine can reach. Its data is in `folder`, which must hold nothing else.
 * The first start creates it, with random passwords in the folder (0600). The server ends with this process. If this
 * process runs as root, the server runs as another user, which must be able to enter the parents of the folder. Throws
 * CONFLICT if another process uses the folder.
 */
export async function startEmbeddedPostgres(options: {
  readonly folder: string;
  /** Default: the port of the last start if it is free, otherwise any free port. */
  readonly port?: number;
  /** Each line that the server writes to its log. */
  readonly onLog: (line: string) => void;
  /** Default: the npm package of this platform, otherwise Debian's. */
  readonly binaries?: ServerBinaries;
}): Promise<EmbeddedPostgres> {
  const user = await serverUser();
  await mkdir(options.folder, { recursive: true });
  const folder = await realpath(options.folder);
  const unlock = await lockFolder(folder);
  try {
    await own(folder, user);
    await refuseClosedFolder(folder, user);
    const found = options.binaries ?? (await findServerBinaries());
    const binaries = await reachableBinaries(found, user, folder);
    const passwords = await keptPasswords(join(folder, 'passwords.json'));
    const dataFolder = await setUp({ binaries, folder, user, passwords });
    await endOrphan(dataFolder);
    const port = options.port ?? (await keptPort(folder));
    const cluster = await startCluster({ binaries, dataFolder, port, user, onLog: options.onLog });
    try {
      const url = (role: keyof typeof roles, name: string = database) =>
        `postgresql://${roles[role]}:${passwords[role]}@127.0.0.1:${cluster.port}/${name}`;
      await writeFile(join(folder, 'port'), `${cluster.port}\n`);
      await prepareDatabase(url('admin', 'postgres'), passwords);
      return {
        ownerUrl: url('owner'),
        appUrl: url('app'),
        ended: cluster.ended,
        async stop() {
          await cluster.stop();
          await unlock();
        },
      };
    } catch (error) {
      await cluster.stop();
      throw error;
    }
  } catch (error) {
    await unlock();
    throw error;
  }
}

/** Renames the complete data folder into its place, so that an interrupted first start leaves no partial one. */
async function setUp(options: {
  readonly binaries: ServerBinaries;
  readonly folder: string;
  readonly user: SystemUser | undefined;
  readonly passwords: Passwords;
}): Promise<string> {
  const { binaries, folder, user, passwords } = options;
  const dataFolder = join(folder, 'data');
  if (await exists(join(dataFolder, 'PG_VERSION'))) return dataFolder;
  const incomplete = join(folder, 'data.incomplete');
  const passwordFile = join(folder, 'initdb-password');
  await rm(incomplete, { recursive: true, force: true });
  await writeFile(passwordFile, passwords.admin, { mode: 0o600 });
  await own(passwordFile, user);
  await initCluster({ binaries, dataFolder: incomplete, superuser: roles.admin, passwordFile, user }).finally(() =>
    rm(passwordFile, { force: true }),
  );
  await rename(incomplete, dataFolder);
  return dataFolder;
}

async function prepareDatabase(adminUrl: string, passwords: Passwords): Promise<void> {
  await prepareRoles({
    adminUrl,
    roles: [
      { name: roles.owner, password: new Secret(passwords.owner) },
      { name: roles.app, password: new Secret(passwords.app) },
    ],
  });
  const client = new Client({ connectionString: adminUrl });
  await client.connect();
  try {
    const found = await client.query('SELECT FROM pg_database WHERE datname = $1', [database]);
    if (found.rowCount === 0) await client.query(`CREATE DATABASE ${database} OWNER ${roles.owner}`);
  } finally {
    await client.end();
  }
}

async function refuseClosedFolder(folder: string, user: SystemUser | undefined): Promise<void> {
  const closed = await firstClosedFolder(folder, user);
  if (closed === undefined) return;
  throw new StowageError(
    'UNAVAILABLE',
    `PostgreSQL runs as uid ${String(user?.uid)} because it refuses root, and that user may not enter '${closed}'.`,
    { help: 'Set STOWAGE_DATA to a folder outside of it, such as /var/lib/stowage.' },
  );
}

async function keptPasswords(path: string): Promise<Passwords> {
  if (!(await exists(path))) {
    const drawn: Passwords = { admin: password(), owner: password(), app: password() };
    await writeFile(`${path}.incomplete`, JSON.stringify(drawn), { mode: 0o600 });
    await rename(`${path}.incomplete`, path);
  }
  return JSON.parse(await readFile(path, 'utf8')) as Passwords;
}

function password(): string {
  return randomBytes(24).toString('hex');
}

async function keptPort(folder: string): Promise<number | undefined> {
  const lastPort = await readFile(join(folder, 'port'), 'utf8').catch(() => '');
  const port = Number.parseInt(lastPort, 10);
  return port > 0 ? port : undefined;
}

async function own(path: string, user: SystemUser | undefined): Promise<void> {
  if (user !== undefined) await chown(path, user.uid, user.gid);
  await chmod(path, (await stat(path)).isDirectory() ? 0o700 : 0o600);
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
