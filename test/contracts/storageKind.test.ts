import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from '@jest/globals';
import { Secret } from '../../src/secret.js';
import { parseAllowedTargets } from '../../src/storage/allowedTargets.js';
import { createStorageKinds } from '../../src/storage/createStorageKinds.js';
import { filesystemKind } from '../../src/storage/filesystem/filesystemKind.js';
import { swiftKind } from '../../src/storage/swift/swiftKind.js';
import { storageKindContract } from './storageKind.contract.js';

const allowedTargets = parseAllowedTargets('default,loopback');
const swift = swiftKind({ allowedTargets });
const key = 'the secret of the v1 user';
const v1 = (user: string) => ({ credentials: { v1: { user, key: new Secret(key) } } });
const serviceUser = (change: object = {}) => ({
  credentials: {
    serviceUser: {
      ...{ username: 'backup', userDomain: 'Default', project: 'demo', projectDomain: 'Default' },
      password: new Secret('the secret of the service user'),
      ...change,
    },
  },
});
const container = { authUrl: 'https://keystone.example.org/v3', container: 'our backups', createContainer: true };
const wrongPlaces = [
  ['authUrl', { authUrl: 'ftp://keystone.example.org' }],
  ['authUrl', { authUrl: 'https://keystone.example.org/v3?' }],
  ['authUrl', { authUrl: 'https://keystone.example.org/v3#' }],
  ['authUrl', { authUrl: 'https://user:word@keystone.example.org' }],
  ['container', { container: 'a/b' }],
  ['container', { container: '-x' }],
  ['container', { container: 'é'.repeat(129) }],
] as const;

storageKindContract('Swift with a v1 user', {
  kind: swift,
  input: { ...container, region: 'RegionOne', ...v1('demo:backup') },
  secretText: key,
  location: 'our backups at RegionOne',
  program: 'swift',
  moves: [
    ['container', { container: 'other' }],
    ['region', { region: null }],
    ['account', v1('other:backup')],
  ],
  stays: [
    ['address', { authUrl: 'https://elsewhere.example.org/v3' }],
    ['user of the account', v1('demo:backup-2')],
  ],
  needSecret: [['address', { authUrl: 'https://elsewhere.example.org/v3' }]],
  wrong: [...wrongPlaces, ['credentials.v1.user', v1('')]],
});

storageKindContract('Swift with a service user', {
  kind: swift,
  input: { ...container, ...serviceUser() },
  secretText: 'the secret of the service user',
  location: 'our backups',
  program: 'swift',
  moves: [
    ['project', serviceUser({ project: 'other' })],
    ['domain of the project', serviceUser({ projectDomain: 'other' })],
  ],
  stays: [['user', serviceUser({ username: 'backup-2' })]],
  needSecret: [['address', { authUrl: 'https://elsewhere.example.org/v3' }]],
  wrong: [...wrongPlaces, ['credentials.serviceUser.password', serviceUser({ password: new Secret('two\nlines') })]],
});

const root = mkdtempSync(join(tmpdir(), 'stowage-kind-'));
afterAll(() => rmSync(root, { recursive: true }));

storageKindContract('folders', {
  kind: filesystemKind({ filesystemRoot: root }),
  input: { path: `${root}/our backups/` },
  secretText: null,
  location: `${root}/our backups`,
  program: 'cat',
  moves: [['path', { path: 'other' }]],
  stays: [],
  needSecret: [],
  wrong: [
    ['path', { path: '../other' }],
    ['path', { path: 'a//b' }],
  ],
});

describe('kinds of storage', () => {
  const kinds = createStorageKinds({ allowedTargets, filesystemRoot: null });

  test('that are only announced have no endpoints', () => {
    expect(() => kinds.chosenBy({ s3: {} })).toThrow('Use SWIFT or FILESYSTEM');
    expect(() => kinds.of({ kind: 'S3' })).toThrow('does not support file endpoints of kind S3');
  });

  test('do not include folders on a machine without a root', () => {
    const folder = kinds.of({ kind: 'FILESYSTEM' });
    expect(() => folder.target({ kind: 'FILESYSTEM', path: 'a' }, null)).toThrow('This machine offers no folder');
  });
});
