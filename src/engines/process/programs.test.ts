import { chmod, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { findClients } from './programs.js';

describe('the clients of a database', () => {
  let root: string;
  const client = 'no-such-client-of-the-system';
  const program = async (folder: string) => {
    await mkdir(join(root, folder), { recursive: true });
    await writeFile(join(root, folder, client), '');
    await chmod(join(root, folder, client), 0o755);
  };

  beforeAll(async () => {
    root = await mkdtemp(join(tmpdir(), 'stowage-clients-'));
    for (const folder of ['given', 'path', 'usual/15/bin', 'usual/18/bin']) await program(folder);
    await mkdir(join(root, 'linked'));
    await symlink(join(root, 'given', client), join(root, 'linked', client));
  });
  afterAll(() => rm(root, { recursive: true }));

  test('are found in the given folders, then in the PATH, then in the usual places', () => {
    const tools = { folders: [join(root, 'given')], laterFolders: [join(root, 'path')] };
    expect(findClients(client, tools, [join(root, 'usual/*/bin')])).toEqual(
      ['given', 'path', 'usual/15/bin', 'usual/18/bin'].map((folder) => join(root, folder, client)),
    );
  });

  test('count once if two paths lead to one file', () => {
    const tools = { folders: [join(root, 'given')], laterFolders: [join(root, 'linked')] };
    expect(findClients(client, tools)).toEqual([join(root, 'given', client)]);
  });

  test('are not found in a relative folder, or where nothing is', () => {
    expect(findClients(client, { folders: ['.', 'bin'] }, [join(root, 'absent/*/bin'), join(root, 'absent')])).toEqual(
      [],
    );
  });
});
