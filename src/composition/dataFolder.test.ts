import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { openDataFolder } from './dataFolder.js';

let parent: string;
beforeEach(() => (parent = mkdtempSync(join(tmpdir(), 'stowage-data-'))));
afterEach(() => rmSync(parent, { recursive: true }));

const modeOf = (path: string): number => statSync(path).mode & 0o777;

describe('the data folder of `stowage up`', () => {
  test('gets a master key of 32 bytes and a token, readable by their owner alone', async () => {
    const path = join(parent, 'deep', 'data');
    const { masterKeys, adminToken } = await openDataFolder(path);
    expect(masterKeys.map((key) => Buffer.from(key.reveal(), 'base64').length)).toEqual([32]);
    expect(adminToken.reveal()).toMatch(/^[0-9a-f]{48}$/);
    expect([modeOf(path), modeOf(join(path, 'master.key')), modeOf(join(path, 'admin-token'))]).toEqual([
      0o755, 0o600, 0o600,
    ]);
  });

  test('keeps its secrets when it is opened again', async () => {
    const reveal = async (): Promise<string[]> => {
      const { masterKeys, adminToken } = await openDataFolder(parent);
      return [...masterKeys.map((key) => key.reveal()), adminToken.reveal()];
    };
    const first = await reveal();
    chmodSync(join(parent, 'master.key'), 0o644);
    expect(await reveal()).toEqual(first);
    expect(modeOf(join(parent, 'master.key'))).toBe(0o600);
  });

  test('reads older keys below a newer one', async () => {
    await openDataFolder(parent);
    const old = readFileSync(join(parent, 'master.key'), 'utf8');
    const newer = Buffer.alloc(32, 9).toString('base64');
    writeFileSync(join(parent, 'master.key'), `# since May\n${newer}\n${old}`);
    const { masterKeys } = await openDataFolder(parent);
    expect(masterKeys.map((key) => key.reveal())).toEqual([newer, old.trim()]);
  });

  test('that is a file is refused with what to do', async () => {
    const path = join(parent, 'file');
    writeFileSync(path, '');
    await expect(openDataFolder(path)).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      help: expect.stringMatching('STOWAGE_DATA'),
    });
  });
});
