import { randomBytes } from 'node:crypto';
import { chmod, link, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { StowageError } from '../errors.js';
import { Secret } from '../secret.js';
import { systemCode } from '../storage/filesystem/filesystemErrors.js';

/** The folder of `stowage up`. Everybody may enter it: as root, PostgreSQL runs under another uid in a folder below it. */
export async function makeDataFolder(path: string): Promise<void> {
  await usable(path, () => mkdir(path, { recursive: true, mode: 0o755 }));
}

/** Keys in base64, newest first: the lines of `master.key`, made once and readable by their owner alone. */
export async function keptMasterKeys(dataFolder: string): Promise<readonly Secret[]> {
  const path = join(dataFolder, 'master.key');
  const { text } = await usable(path, () => madeOnce(path, () => `${randomBytes(32).toString('base64')}\n`));
  const lines = text.split('\n').map((line) => line.trim());
  return lines.filter((line) => line !== '' && !line.startsWith('#')).map((line) => new Secret(line));
}

export type KeptToken = {
  readonly token: Secret;
  readonly path: string;
  /** Made just now. */ readonly isNew: boolean;
};

/** The content of `admin-token`, made once and readable by its owner alone. */
export async function keptAdminToken(dataFolder: string): Promise<KeptToken> {
  const path = join(dataFolder, 'admin-token');
  const { text, isNew } = await usable(path, () => madeOnce(path, () => `${randomBytes(24).toString('hex')}\n`));
  return { token: new Secret(text.trim()), path, isNew };
}

async function usable<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw new StowageError('UNAVAILABLE', `'${path}' cannot be used: ${systemCode(error) ?? String(error)}.`, {
      help: 'Set STOWAGE_DATA to a folder that this user may write to.',
      cause: error,
    });
  }
}

/** The file's content; where there is no file, a whole one appears at once with 0600. Of two processes one makes it. */
async function madeOnce(path: string, content: () => string): Promise<{ text: string; isNew: boolean }> {
  let isNew = true;
  const draft = `${path}.${randomBytes(6).toString('hex')}`;
  try {
    await writeFile(draft, content(), { mode: 0o600, flush: true });
    await link(draft, path);
  } catch (error) {
    if (systemCode(error) !== 'EEXIST') throw error;
    isNew = false;
    await chmod(path, 0o600);
  } finally {
    await rm(draft, { force: true });
  }
  return { text: await readFile(path, 'utf8'), isNew };
}
