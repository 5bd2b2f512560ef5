import { randomBytes } from 'node:crypto';
import { chmod, link, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { StowageError } from '../errors.js';
import { Secret } from '../secret.js';
import { systemCode } from '../storage/filesystem/filesystemErrors.js';

/**
 * The folder of `stowage up`. Every user may enter it, because PostgreSQL runs under another uid if `stowage up` runs
 * as root.
 */
export async function makeDataFolder(path: string): Promise<void> {
  await usingPath(path, () => mkdir(path, { recursive: true, mode: 0o755 }));
}

/** The keys in base64, newest first. They are the lines of `master.key`, which is created once, readable only by its owner. */
export async function keptMasterKeys(dataFolder: string): Promise<readonly Secret[]> {
  const path = join(dataFolder, 'master.key');
  const { text } = await usingPath(path, () => createOnce(path, () => `${randomBytes(32).toString('base64')}\n`));
  const lines = text.split('\n').map((line) => line.trim());
  return lines.filter((line) => line !== '' && !line.startsWith('#')).map((line) => new Secret(line));
}

export type KeptToken = {
  readonly token: Secret;
  readonly path: string;
  /** Whether the folder was created now. */ readonly isNew: boolean;
};

/** The content of `admin-token`, which is created once, readable only by its owner. */
export async function keptAdminToken(dataFolder: string): Promise<KeptToken> {
  const path = join(dataFolder, 'admin-token');
  const { text, isNew } = await usingPath(path, () => createOnce(path, () => `${randomBytes(24).toString('hex')}\n`));
  return { token: new Secret(text.trim()), path, isNew };
}

async function usingPath<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw new StowageError('UNAVAILABLE', `'${path}' cannot be used: ${systemCode(error) ?? String(error)}.`, {
      help: 'Set STOWAGE_DATA to a folder that this user may write to.',
      cause: error,
    });
  }
}

/**
 * Returns the content of the file. A missing file is created atomically with mode 0600. If two processes create it at
 * once, one of them wins.
 */
async function createOnce(path: string, content: () => string): Promise<{ text: string; isNew: boolean }> {
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
