import { rmdir, stat, statfs } from 'node:fs/promises';
import { StowageError } from '../../errors.js';
import { trySteps, type StepToTry } from '../checkSteps.js';
import { Probe } from '../probe.js';
import type { CheckOptions, StorageDriver } from '../storage.js';
import { filesystemError } from './filesystemErrors.js';
import type { FilesystemSettings } from './filesystemSettings.js';
import { FilesystemStorage } from './filesystemStorage.js';
import { Folder, isOneOf } from './folder.js';

/** Check has the steps RESOLVE, CONTAINER, WRITE, READ_BACK, DELETE and CAPABILITIES. */
export const filesystemDriver: StorageDriver<FilesystemSettings> = {
  open: (settings) => new FilesystemStorage(settings),

  async check(settings, { signal, timeoutMs, mayWrite }) {
    const probe = new Probe(new FilesystemStorage(settings), 'the folder');
    const folderWasThere = await isThere(settings);
    try {
      return await trySteps(stepsFor(settings, probe, mayWrite), {
        signal,
        timeoutMs,
        tooSlow: 'ENDPOINT_UNREACHABLE',
      });
    } finally {
      await cleanUp(settings, probe, folderWasThere);
    }
  },
};

function stepsFor(
  settings: FilesystemSettings,
  probe: Probe,
  mayWrite: CheckOptions['mayWrite'],
): readonly StepToTry[] {
  const findContainer = async (signal: AbortSignal): Promise<string> => {
    const found = await findFolder(settings);
    await mayWrite?.(signal);
    return found;
  };
  return [
    { name: 'RESOLVE', run: () => resolveRoot(settings) },
    { name: 'CONTAINER', run: findContainer },
    ...probe.steps(),
    { name: 'CAPABILITIES', run: () => reportFreeSpace(settings) },
  ];
}

async function resolveRoot(settings: FilesystemSettings): Promise<string> {
  const path = new Folder(settings).path;
  try {
    if (!(await stat(settings.root)).isDirectory()) {
      throw new StowageError('ENDPOINT_NOT_FOUND', `The root '${settings.root}' is not a folder.`);
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
    if (!(await isThere(settings))) return 'The folder does not exist yet. The first backup creates it.';
    if ((await stat(folder.path)).isDirectory()) return 'The folder exists.';
  } catch (error) {
    throw filesystemError(error, `the folder '${folder.path}'`);
  }
  throw new StowageError('ENDPOINT_NOT_FOUND', `${folder.path} is a file, not a folder.`);
}

async function reportFreeSpace(settings: FilesystemSettings): Promise<string> {
  const { bavail, bsize } = await statfs(settings.root);
  return `${((bavail * bsize) / 1e9).toFixed(1)} GB are free.`;
}

/** False for a folder that cannot be read: the steps report why. */
async function isThere(settings: FilesystemSettings): Promise<boolean> {
  try {
    await stat(new Folder(settings).path);
    return true;
  } catch {
    return false;
  }
}

async function cleanUp(settings: FilesystemSettings, probe: Probe, folderWasThere: boolean): Promise<void> {
  if (!(await isThere(settings))) return;
  try {
    await probe.cleanUp(AbortSignal.timeout(2000));
    const folder = new Folder(settings);
    if (!folderWasThere) {
      await rmdir(folder.path);
      await new Folder({ root: settings.root, path: '' }).removeEmptyParents(folder.path);
    }
  } catch (error) {
    // A step has already failed for the same reason, or another process has created a file there meanwhile.
    if (!(error instanceof StowageError) && !isOneOf(error, ['ENOTEMPTY', 'ENOENT', 'EACCES', 'EPERM'])) throw error;
  }
}
