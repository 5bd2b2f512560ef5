import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { keptAdminToken, keptMasterKeys, makeDataFolder } from './dataFolder.js';

let parent: string;
beforeEach(() => {
  parent = mkdtempSync(join(tmpdir(), 'stowage-data-'));
});
afterEach(() => rmSync(parent, { recursive: true }));

const modeOf = (path: string): number => statSync(path).mode & 0o777;
const revealed = async (): Promise<string[]> => (await keptMasterKeys(parent)).map((key) => key.reveal());

describe('the data folder of `stowage up`', () => {
  test('gets a master key of 32 bytes and a token, readable only by their owner', async () => {
    const path = join(parent, 'deep', 'data');
    await makeDataFolder(path);
    const keys = await keptMasterKeys(path);
    const { token, isNew } = await keptAdminToken(path);
    expect(keys.map((key) => Buffer.from(key.reveal(), 'base64').length)).toEqual([32]);
    expect([token.reveal(), isNew]).toEqual([expect.stringMatching(/^[0-9a-f]{48}$/), true]);
    const files = readdirSync(path).sort();
    expect(files).toEqual(['admin-token', 'master.key']);
    expect(files.map((file) => modeOf(join(path, file)))).toEqual([0o600, 0o600]);
    expect(modeOf(path)).toBe(0o755);
  });

  test('keeps its secrets when it is opened again, and removes the permissions of others', async () => {
    const [keys, { token }] = [await revealed(), await keptAdminToken(parent)];
    chmodSync(join(parent, 'master.key'), 0o644);
    const again = await keptAdminToken(parent);
    expect(await revealed()).toEqual(keys);
    expect([again.token.reveal(), again.isNew]).toEqual([token.reveal(), false]);
    expect(modeOf(join(parent, 'master.key'))).toBe(0o600);
  });

  test('gives the same key to all processes that open it at once', async () => {
    const keys = await Promise.all(Array.from({ length: 20 }, revealed));
    expect(new Set(keys.flat()).size).toBe(1);
  });

  test('accepts older keys below a newer one', async () => {
    const old = await revealed();
    const newer = Buffer.alloc(32, 9).toString('base64');
    const before = readFileSync(join(parent, 'master.key'), 'utf8');
    writeFileSync(join(parent, 'master.key'), `# since May\n${newer}\n${before}`);
    expect(await revealed()).toEqual([newer, ...old]);
  });

  test('is refused with advice if it is a file', async () => {
    const path = join(parent, 'file');
    writeFileSync(path, '');
    const refusal = { code: 'UNAVAILABLE', help: expect.stringMatching('STOWAGE_DATA') };
    await expect(makeDataFolder(path)).rejects.toMatchObject(refusal);
    await expect(keptMasterKeys(path)).rejects.toMatchObject(refusal);
  });
});
