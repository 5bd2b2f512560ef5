import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { access, readFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { StowageError } from '../../errors.js';

/** `bin` is the folder of the server's programs, `initdb` and `postgres`. */
export type ServerBinaries = { readonly bin: string };

/** A user of the operating system that PostgreSQL runs as, because it refuses to run as root. */
export type SystemUser = { readonly uid: number; readonly gid: number };

export type RunningCluster = {
  readonly port: number;
  /** Stops the server. Connections are closed, and committed data is on disk. */
  stop(): Promise<void>;
  /** Resolves when the server has ended, for any reason. */
  readonly ended: Promise<void>;
};

const environment = { PATH: '/usr/local/bin:/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC' };

/** Creates the data folder of a new server whose superuser is `superuser`, with the password in `passwordFile`. */
export async function initCluster(options: {
  readonly binaries: ServerBinaries;
  readonly dataFolder: string;
  readonly superuser: string;
  readonly passwordFile: string;
  readonly user: SystemUser | undefined;
}): Promise<void> {
  const { binaries, dataFolder, superuser, passwordFile, user } = options;
  await promisify(execFile)(
    join(binaries.bin, 'initdb'),
    [
      ...['--pgdata', dataFolder, '--username', superuser, '--pwfile', passwordFile],
      ...['--auth', 'scram-sha-256', '--encoding', 'UTF8', '--locale', 'C', '--no-instructions'],
    ],
    { cwd: '/', env: environment, ...user },
  ).catch((error: unknown) => {
    throw new StowageError('UNAVAILABLE', `PostgreSQL could not be set up in '${dataFolder}': ${lastLines(error)}`, {
      help: 'Make sure that the folder is on a disk with free space, and that every user may enter its parents.',
      cause: error,
    });
  });
}

/**
 * Starts the server on 127.0.0.1 and waits until it answers. If the system has `setpriv`, the server ends with this
 * process, also when the process is killed. It tries `port` first, then free ports.
 */
export async function startCluster(options: {
  readonly binaries: ServerBinaries;
  readonly dataFolder: string;
  readonly port?: number | undefined;
  readonly user: SystemUser | undefined;
  /** A setting `name=value`, as in postgresql.conf. */
  readonly settings?: readonly string[];
  readonly onLog: (line: string) => void;
}): Promise<RunningCluster> {
  const binary = join(options.binaries.bin, 'postgres');
  let wanted = options.port;
  for (let tries = 1; ; tries += 1) {
    const port = wanted ?? (await freePort());
    const settings = [
      ...[`port=${port}`, 'listen_addresses=127.0.0.1', 'unix_socket_directories=', 'logging_collector=off'],
      ...(options.settings ?? []),
    ];
    const lines: string[] = [];
    const child = await spawnServer(
      binary,
      ['-D', options.dataFolder, ...settings.flatMap((each) => ['-c', each])],
      options.user,
    );
    const ended = new Promise<void>((resolve) => {
      child.once('exit', () => resolve());
      child.once('error', () => resolve());
    });
    const ready = new Promise<boolean>((resolve) => {
      createInterface({ input: child.stderr }).on('line', (line) => {
        lines.push(line);
        if (lines.length > 50) lines.shift();
        options.onLog(line);
        // A standby of a test accepts read-only connections.
        if (/database system is ready to accept (?:read-only )?connections/.test(line)) resolve(true);
      });
      void ended.then(() => resolve(false));
    });
    if (await ready) return { port, ended, stop: () => stop(child, ended) };
    const output = lines.join('\n');
    if (tries < 5 && /Address already in use|could not create any TCP/.test(output)) {
      wanted = undefined;
      continue;
    }
    throw new StowageError('UNAVAILABLE', `PostgreSQL did not start on '${options.dataFolder}'.`, {
      toolOutput: output,
      help: 'Read the output of PostgreSQL.',
    });
  }
}

async function spawnServer(binary: string, args: readonly string[], user: SystemUser | undefined) {
  const stdio: ['ignore', 'ignore', 'pipe'] = ['ignore', 'ignore', 'pipe'];
  // Uses a separate process group, so that Ctrl-C in a terminal signals this process only, which then stops the server
  // cleanly.
  const common = { cwd: '/', env: environment, stdio, detached: true };
  const setpriv = '/usr/bin/setpriv';
  if (!(await exists(setpriv))) return spawn(binary, args, { ...common, ...user });
  const identity =
    user === undefined ? [] : ['--reuid', String(user.uid), '--regid', String(user.gid), '--clear-groups'];
  return spawn(setpriv, [...identity, '--pdeathsig', 'INT', '--', binary, ...args], common);
}

async function stop(child: ChildProcess, ended: Promise<void>): Promise<void> {
  child.kill('SIGINT');
  const impatient = setTimeout(() => child.kill('SIGQUIT'), 20_000);
  await ended;
  clearTimeout(impatient);
}

/** The user that runs PostgreSQL. Undefined: the current user. As root it is the first candidate that exists. */
export async function serverUser(candidates = ['stowage', 'postgres', 'nobody']): Promise<SystemUser | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  const passwd = (await readFile('/etc/passwd', 'utf8')).split('\n').map((line) => line.split(':'));
  for (const candidate of candidates) {
    const [, , uid, gid] = passwd.find(([name]) => name === candidate) ?? [];
    if (uid !== undefined && gid !== undefined) return { uid: Number(uid), gid: Number(gid) };
  }
  throw new StowageError(
    'UNAVAILABLE',
    `PostgreSQL does not run as root, and this system has no user named ${candidates.join(', ')}.`,
    { help: 'Create one (useradd --system stowage), or start Stowage as an ordinary user.' },
  );
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('A TCP server has no port.');
  return address.port;
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

function lastLines(error: unknown): string {
  const output = error instanceof Error && 'stderr' in error ? String(error.stderr) : String(error);
  return output.trim().split('\n').slice(-3).join(' ');
}
