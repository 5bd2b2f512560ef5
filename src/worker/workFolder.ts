import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';

/** A folder for one run alone, 0700, with whatever is in it gone afterwards. */
export async function inWorkFolder<T>(root: string, work: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(root, 'stowage-run-'));
  try {
    return await work(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
