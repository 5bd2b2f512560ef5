import { execFile } from 'node:child_process';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { z } from 'zod';
import { fingerprint } from '../fixtures/mariadbFingerprint.js';
import type { MariadbServer } from '../fixtures/servers/mariadb.js';
import { digestOfDump, type ForeignHand, type ListedObject } from './foreignHand.js';

const document = z.object({
  parts: z
    .array(
      z.object({
        ...{ objectName: z.string(), sizeBytes: z.number(), storedSizeBytes: z.number(), checksum: z.string() },
        segments: z.array(z.object({ sizeBytes: z.number() })),
      }),
    )
    .length(1),
});

/** The original of a backup: the text of the dump, and the database. */
export type Original = {
  readonly dumpDigest: string;
  readonly fingerprint: Readonly<Record<string, string>>;
};

/**
 * Checks, without the code under test, whether a folder of the container is a backup of the original. It fetches the
 * objects by plain HTTP, decompresses them by zstd, and compares. Returns the problem. Undefined: it is such a backup.
 */
export async function disprove(
  hand: ForeignHand,
  folder: string,
  original: Original,
  scratch: string,
): Promise<string | undefined> {
  const file = join(scratch, 'fetched.zst');
  try {
    const found = await fetchBackup(hand, folder, file);
    if (typeof found === 'string') return found;
    const { digest, sizeBytes } = await digestOfDump(file);
    if (digest !== original.dumpDigest) return 'the dump in it has another text than the original';
    return sizeBytes === found.sizeBytes
      ? undefined
      : `backup.json has the size ${found.sizeBytes}, and the size is ${sizeBytes}`;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  } finally {
    await rm(file, { force: true });
  }
}

/** Restores a folder with its own command for the shell, and compares the databases. Undefined: they are identical. */
export async function disproveByRestoring(
  hand: ForeignHand,
  folder: string,
  original: Original,
  scratch: { readonly folder: string; readonly server: MariadbServer },
): Promise<string | undefined> {
  const file = join(scratch.folder, 'restored.zst');
  const { server } = scratch;
  try {
    const found = await fetchBackup(hand, folder, file);
    if (typeof found === 'string') return found;
    const byHand = /\| zstd -d \| (mariadb .*)$/.exec(found.restoreByHand)?.[1];
    if (byHand === undefined) return `no command to restore it by hand: ${found.restoreByHand}`;
    const client = byHand.replace(
      /^mariadb/,
      `mariadb --no-defaults --user=root --socket='${join(server.folder, 's')}'`,
    );
    await promisify(execFile)('bash', ['-c', `set -o pipefail; zstd -d -c -q '${file}' | ${client}`]);
    return differenceOf(original.fingerprint, await fingerprint(server, ['shop']));
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  } finally {
    await server.sql('DROP DATABASE IF EXISTS shop');
    await rm(file, { force: true });
  }
}

/** Undefined: they are the same. */
export function differenceOf(
  original: Readonly<Record<string, string>>,
  other: Readonly<Record<string, string>>,
): string | undefined {
  const keys = new Set([...Object.keys(original), ...Object.keys(other)]);
  const different = [...keys].filter((key) => original[key] !== other[key]);
  return different.length === 0 ? undefined : `differs in ${different.join('; ')}`;
}

/** Downloads into `file`. A string result is a problem. */
async function fetchBackup(
  hand: ForeignHand,
  folder: string,
  file: string,
): Promise<string | { readonly sizeBytes: number; readonly restoreByHand: string }> {
  const text = (await hand.bytes(`${folder}backup.json`)).toString('utf8');
  const [part] = document.parse(JSON.parse(text)).parts;
  if (part === undefined) return 'backup.json names no part';
  const { sha256, sizeBytes } = await hand.download(part.objectName, file);
  if (sizeBytes !== part.storedSizeBytes)
    return `backup.json has the stored size ${part.storedSizeBytes}, and the stored size is ${sizeBytes}`;
  if (sha256 !== part.checksum) return 'the SHA-256 of the stored bytes differs from backup.json';
  const surplus = surplusOf(await hand.list(folder), folder, part);
  if (surplus !== undefined) return surplus;
  const { restoreByHand } = z.object({ restoreByHand: z.array(z.string()).length(1) }).parse(JSON.parse(text));
  return { sizeBytes: part.sizeBytes, restoreByHand: restoreByHand[0] ?? '' };
}

/** The other objects in the folder of the backup. A listing may lag behind, so missing objects are no problem here. */
function surplusOf(
  listed: readonly ListedObject[],
  folder: string,
  part: { readonly objectName: string; readonly segments: readonly { readonly sizeBytes: number }[] },
): string | undefined {
  const others = listed.filter(({ name }) => name !== `${folder}backup.json` && name !== part.objectName);
  const isSegment = ({ name, bytes }: ListedObject) => {
    const number = /^segments\/databases\/(\d{8})$/.exec(name.slice(folder.length))?.[1];
    return number !== undefined && part.segments[Number(number) - 1]?.sizeBytes === bytes;
  };
  const stranger = others.find((each) => !isSegment(each));
  return stranger === undefined ? undefined : `'${stranger.name}' is beside the backup and does not belong to it`;
}
