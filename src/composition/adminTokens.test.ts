import { afterEach, expect, test } from '@jest/globals';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { until } from '../../test/fixtures/until.js';
import { openLog } from '../log.js';
import { Secret } from '../secret.js';
import { SignInChanges } from '../server/signInChanges.js';
import { adminTokens } from './adminTokens.js';
import { Closing } from './closing.js';

const [old, fresh] = ['the-old-token-of-the-installation', 'the-fresh-token-of-the-installation'];
const logged: string[] = [];
const log = openLog('json', 'info', { write: (line) => void logged.push(line) });
let closing = new Closing(log);
afterEach(async () => {
  await closing.close();
  closing = new Closing(log);
});

test('a token is replaced without a restart: both lines of the file are valid, and a removed line ends its sockets', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'stowage-tokens-'));
  closing.add('folder', () => rm(folder, { recursive: true }));
  const adminTokenFile = join(folder, 'tokens');
  const signInChanges = new SignInChanges();
  let checks = 0;
  signInChanges.subscribe('installation', () => (checks += 1));
  await writeFile(adminTokenFile, `${old}\n`);
  const config = { adminToken: new Secret(old), adminTokenFile };
  const authenticate = adminTokens(config, { signInChanges, log, closing }, 10);
  const isValid = async (value: string) => (await authenticate({ kind: 'BEARER', value })) !== undefined;
  expect([await isValid(old), await isValid(fresh)]).toEqual([true, false]);

  await writeFile(adminTokenFile, `# the new one comes first\n${fresh}\n${old}\n`);
  await until(() => isValid(fresh), 'the new token is valid');
  expect([await isValid(old), checks]).toEqual([true, 0]);

  await writeFile(adminTokenFile, 'short\n');
  await until(() => logged.join('').includes('holds no valid tokens now'), 'the problem is logged');
  expect([await isValid(old), await isValid(fresh)]).toEqual([true, true]);

  await writeFile(adminTokenFile, `${fresh}\n`);
  await until(async () => !(await isValid(old)), 'the old token is not valid');
  expect([await isValid(fresh), checks]).toEqual([true, 1]);
  expect(logged.join('')).not.toContain('token-of-the-installation');
});
