import { readdir, readFile, readlink } from 'node:fs/promises';

/**
 * The local ports of a process's connections to `remotePort`, read from Linux's /proc (proc(5)). Empty if the process
 * has no such connection or has ended, or if there is no /proc.
 */
export async function localPorts(pid: number, remotePort: number): Promise<readonly number[]> {
  const sockets = await socketsOf(pid);
  if (sockets.size === 0) return [];
  const tables = await Promise.all(['tcp', 'tcp6'].map((name) => read(`/proc/${pid}/net/${name}`)));
  return tables
    .flatMap((table) => table.split('\n').slice(1))
    .map((line) => line.trim().split(/\s+/))
    .filter(([, , remote = '', , , , , , , inode = '']) => portIn(remote) === remotePort && sockets.has(inode))
    .map(([, local = '']) => portIn(local));
}

async function socketsOf(pid: number): Promise<ReadonlySet<string>> {
  const folder = `/proc/${pid}/fd`;
  const names = await readdir(folder).catch(() => []);
  const targets = await Promise.all(names.map((name) => readlink(`${folder}/${name}`).catch(() => '')));
  return new Set(targets.flatMap((target) => /^socket:\[(\d+)\]$/.exec(target)?.[1] ?? []));
}

function read(path: string): Promise<string> {
  return readFile(path, 'utf8').catch(() => '');
}

/** For example, "0100007F:1F90" is port 8080. */
function portIn(address: string): number {
  return Number.parseInt(address.slice(address.lastIndexOf(':') + 1), 16);
}
