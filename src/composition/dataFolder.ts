import { randomBytes } from 'node:crypto';
import { chmod, link, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { StowageError } from '../errors.js';
import { Secret } from '../secret.js';
import { systemCode } from '../storage/filesystem/filesystemErrors.js';

export type DataFolder = {
  /** In base64, newest first: the lines of `master.key`. */
  readonly masterKeys: readonly Secret[];
  /** The content of `admin-token`. */
  readonly adminToken: Secret;
};

/**
 * The folder of `stowage up` with its secrets, which are made once, readable by their owner alone, and never again.
 * The folder may be entered by everybody: as root, PostgreSQL runs under another uid in a folder below it.
 */
export async function openDataFolder(path: string): Promise<DataFolder> {
  try {
    await mkdir(path, { recursive: true, mode: 0o755 });
    const masterKeys = await madeOnce(join(path, 'master.key'), () => `${randomBytes(32).toString('base64')}\n`);
    const adminToken = await madeOnce(join(path, 'admin-token'), () => `${randomBytes(24).toString('hex')}\n`);
    const lines = masterKeys.split('\n').map((line) => line.trim());
    return {
      masterKeys: lines.filter((line) => line !== '' && !line.startsWith('#')).map((line) => new Secret(line)),
      adminToken: new Secret(adminToken.trim()),
    };
  } catch (error) {
    throw new StowageError(
      'UNAVAILABLE',
      `The data folder '${path}' cannot be used: ${systemCode(error) ?? String(error)}.`,
      {
        help: 'Set STOWAGE_DATA to a folder that this user may write to.',
        cause: error,
      },
    );
  }
}

/** The file's content; where there is no file, a whole one appears at once with 0600. Of two processes one makes it. */
async function madeOnce(path: string, content: () => string): Promise<string> {
  const draft = `${path}.${randomBytes(6).toString('hex')}`;
  try {
    await writeFile(draft, content(), { mode: 0o600, flush: true });
    await link(draft, path);
  } catch (error) {
    if (systemCode(error) !== 'EEXIST') throw error;
    await chmod(path, 0o600);
  } finally {
    await rm(draft, { force: true });
  }
  return readFile(path, 'utf8');
}
