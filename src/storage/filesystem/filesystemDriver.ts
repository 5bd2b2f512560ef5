import { randomBytes, randomUUID } from 'node:crypto';
import { rmdir, stat, statfs } from 'node:fs/promises';
import { StowageError } from '../../errors.js';
import { trySteps, type StepToTry } from '../checkSteps.js';
import type { CheckOptions, StorageDriver } from '../storage.js';
import { filesystemError } from './filesystemErrors.js';
import type { FilesystemSettings } from './filesystemSettings.js';
import { FilesystemStorage } from './filesystemStorage.js';
import { Folder, isOneOf } from './folder.js';

/** Check has the steps RESOLVE, CONTAINER, WRITE, READ_BACK, DELETE and CAPABILITIES. */
export const filesystemDriver: StorageDriver<FilesystemSettings> = {
  open: (settings) => new FilesystemStorage(settings),

  async check(settings, { signal, timeoutMs, mayWrite }) {
    const storage = new FilesystemStorage(settings);
    const probe = { name: `.stowage-probe-${randomUUID()}`, bytes: randomBytes(1024) };
    const folderWasThere = await isThere(settings);
    try {
      const steps = stepsFor(settings, storage, { probe, mayWrite });
      return await trySteps(steps, { signal, timeoutMs, tooSlow: 'ENDPOINT_UNREACHABLE' });
    } finally {
      await cleanUp(settings, storage, probe.name, folderWasThere);
    }
  },
};

type Probe = { readonly name: string; readonly bytes: Buffer };

function stepsFor(
  settings: FilesystemSettings,
  storage: FilesystemStorage,
  { probe, mayWrite }: { readonly probe: Probe; readonly mayWrite: CheckOptions['mayWrite'] },
): readonly StepToTry[] {
  return [
    { name: 'RESOLVE', run: () => resolveRoot(settings) },
    {
      name: 'CONTAINER',
      run: async (signal) => {
        const found = await findFolder(settings);
        await mayWrite?.(signal);
        return found;
      },
    },
    {
      name: 'WRITE',
      run: async (signal) => {
        await storage.putBytes(probe.name, probe.bytes, { signal });
        return null;
      },
    },
    {
      name: 'READ_BACK',
      run: async (signal) => {
        const pieces: Uint8Array[] = [];
        for await (const piece of storage.get(probe.name, { signal })) pieces.push(piece);
        if (Buffer.concat(pieces).equals(probe.bytes)) return null;
        throw new StowageError('CHECKSUM', 'What was read back is not what was written.');
      },
    },
    {
      name: 'DELETE',
      run: async (signal) => {
        await storage.delete(probe.name, { signal });
        return null;
      },
    },
    { name: 'CAPABILITIES', run: () => tellFreeSpace(settings) },
  ];
}

async function resolveRoot(settings: FilesystemSettings): Promise<string> {
  const path = new Folder(settings).path;
  try {
    if (!(await stat(settings.root)).isDirectory()) {
      throw new StowageError('ENDPOINT_NOT_FOUND', `The root '${settings.root}' is no folder.`);
    }
  } catch (error) {
    throw filesystemError(error, `the root '${settings.root}'`);
  }
  return `The folder is ${path}.`;
}

async function findFolder(settings: FilesystemSettings): Promise<string> {
  const folder = new Folder(settings);
  try {
    await folder.pathOf('probe');
    if (!(await isThere(settings))) return 'The folder does not exist yet; it will be made with the first backup.';
    if ((await stat(folder.path)).isDirectory()) return 'The folder exists.';
  } catch (error) {
    throw filesystemError(error, `the folder '${folder.path}'`);
  }
  throw new StowageError('ENDPOINT_NOT_FOUND', `${folder.path} is a file and no folder.`);
}

async function tellFreeSpace(settings: FilesystemSettings): Promise<string> {
  const { bavail, bsize } = await statfs(settings.root);
  return `${((bavail * bsize) / 1e9).toFixed(1)} GB are free.`;
}

/** Answers false for whatever cannot be looked at: the steps tell why. */
async function isThere(settings: FilesystemSettings): Promise<boolean> {
  try {
    await stat(new Folder(settings).path);
    return true;
  } catch {
    return false;
  }
}

async function cleanUp(
  settings: FilesystemSettings,
  storage: FilesystemStorage,
  probe: string,
  folderWasThere: boolean,
): Promise<void> {
  if (!(await isThere(settings))) return;
  try {
    await storage.delete(probe, { signal: AbortSignal.timeout(2000) });
    const folder = new Folder(settings);
    if (!folderWasThere) {
      await rmdir(folder.path);
      await new Folder({ root: settings.root, path: '' }).removeEmptyParents(folder.path);
    }
  } catch (error) {
    // What forbids the removal has already failed a step, or somebody has put a file there in the meantime.
    if (!(error instanceof StowageError) && !isOneOf(error, ['ENOTEMPTY', 'ENOENT', 'EACCES', 'EPERM'])) throw error;
  }
}
