import { readdir, readFile, readlink } from 'node:fs/promises';

/**
 * The local ports of a tool's connections to `remotePort`, read from Linux's /proc (proc(5)). A tool with a uid of its
 * own is recognised by the uid of its sockets, because only root may list the descriptors of another user's process.
 * Empty if the tool has no such connection or has ended, or if there is no /proc.
 */
export async function localPorts(
  { pid, uid }: { readonly pid: number; readonly uid: number | undefined },
  remotePort: number,
): Promise<readonly number[]> {
  const sockets = uid === undefined ? await socketsOf(pid) : undefined;
  if (sockets?.size === 0) return [];
  // The tool is in the same network namespace. Its own folder in /proc may be hidden (proc(5), hidepid).
  const tables = await Promise.all(['tcp', 'tcp6'].map((name) => read(`/proc/self/net/${name}`)));
  return tables
    .flatMap((table) => table.split('\n').slice(1))
    .map((line) => line.trim().split(/\s+/))
    .filter(([, , remote = '']) => portIn(remote) === remotePort)
    .filter(([, , , , , , , owner, , inode = '']) => sockets?.has(inode) ?? Number(owner) === uid)
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
