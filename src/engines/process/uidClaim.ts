import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { readFile, readlink } from 'node:fs/promises';
import { createServer } from 'node:net';
import { rangeText, type UidRange } from './toolUids.js';

/** Held until it is closed, at the latest until this process ends, also by SIGKILL. */
export type UidClaim = { close(): void };

const claims = 'stowage-tool-uids';

/**
 * Claims uids for this process, because two processes of Stowage with one uid would end each other's tools. Returns the
 * claimed range of another process that overlaps. Of two that claim at the same time, at least one gets this answer.
 *
 * A claim is a socket without a file (unix(7), abstract), which the kernel lists and removes. It counts for the processes in
 * the same process namespace and network namespace. Containers with processes of their own cannot end each other's tools.
 */
export async function claimUids(range: UidRange): Promise<UidClaim | { readonly takenBy: UidRange }> {
  const token = randomUUID();
  const [namespace = '0'] = /\d+/.exec(await readlink('/proc/self/ns/pid')) ?? [];
  const socket = createServer((client) => client.destroy()).unref();
  socket.listen(`\0${claims}/${namespace}/${rangeText(range)}/${token}`);
  await once(socket, 'listening');
  const listed = (await readFile('/proc/net/unix', 'utf8')).matchAll(
    new RegExp(`@${claims}/${namespace}/(\\d+)-(\\d+)/([\\w-]{36})`, 'g'),
  );
  for (const [, first, last, owner] of listed) {
    const other = { first: Number(first), last: Number(last) };
    if (owner === token || other.last < range.first || other.first > range.last) continue;
    socket.close();
    return { takenBy: other };
  }
  return { close: () => void socket.close() };
}
