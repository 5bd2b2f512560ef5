import { mkdtemp, rm, unlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { filesystemDriver } from '../../src/storage/filesystem/filesystemDriver.js';
import { storageContract } from './storage.contract.js';

storageContract('a file system', async () => {
  const root = await mkdtemp(join(tmpdir(), 'stowage-files-'));
  return {
    storage: filesystemDriver.open({ root, path: 'project/backups' }),
    exclusive: true,
    segmentBytes: 16 * 1024 * 1024,
    tamper: (name, bytes) => {
      const path = join(root, 'project/backups', name);
      return bytes === null ? unlink(path) : writeFile(path, bytes);
    },
    lastPieceOf: (name) => name,
    stop: () => rm(root, { recursive: true, force: true }),
  };
});
