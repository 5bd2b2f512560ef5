import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from '@jest/globals';
import { InputProblems } from '../../src/server/inputValidation.js';
import { Secret } from '../../src/secret.js';
import { parseAllowedTargets } from '../../src/storage/allowedTargets.js';
import { createStorageKinds } from '../../src/storage/createStorageKinds.js';
import { filesystemKind } from '../../src/storage/filesystem/filesystemKind.js';
import { swiftKind } from '../../src/storage/swift/swiftKind.js';
import { projectId, storageKindContract } from './storageKind.contract.js';

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

const sameAddresses = [
  ['letter case of the host', { authUrl: 'https://KEYSTONE.example.org/v3' }],
  ['a default port', { authUrl: 'https://keystone.example.org:443/v3' }],
  ['a slash at the end', { authUrl: 'https://keystone.example.org/v3/' }],
  ['a dot after the host', { authUrl: 'https://keystone.example.org./v3' }],
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
  sameSpelledOut: [...sameAddresses, ['user of the account', v1('demo:backup-2')]],
  otherSpelledOut: [
    ['host', { authUrl: 'https://elsewhere.example.org/v3' }],
    ['port', { authUrl: 'https://keystone.example.org:5000/v3' }],
    ['container', { container: 'Our backups' }],
    ['region', { region: 'RegionTwo' }],
    ['account', v1('other:backup')],
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
  sameSpelledOut: [
    ...sameAddresses,
    ['user', serviceUser({ username: 'backup-2' })],
    ['letter case of the project', serviceUser({ project: 'Demo', projectDomain: 'DEFAULT' })],
  ],
  otherSpelledOut: [
    ['project', serviceUser({ project: 'other' })],
    ['domain of the project', serviceUser({ projectDomain: 'other' })],
  ],
  needSecret: [['address', { authUrl: 'https://elsewhere.example.org/v3' }]],
  wrong: [...wrongPlaces, ['credentials.serviceUser.password', serviceUser({ password: new Secret('two\nlines') })]],
});

const root = mkdtempSync(join(tmpdir(), 'stowage-kind-'));
const own = `${root}/project-${projectId}`;
afterAll(() => rmSync(root, { recursive: true }));

storageKindContract('folders', {
  kind: filesystemKind({ filesystemRoot: root }),
  input: { path: 'our backups/' },
  secretText: null,
  location: `${own}/our backups`,
  program: 'cat',
  moves: [['path', { path: 'other' }]],
  stays: [],
  sameSpelledOut: [
    ['the whole path', { path: `${own}/our backups` }],
    ['the path below the root', { path: `project-${projectId}/our backups` }],
    ['letter case', { path: 'Our Backups' }],
    ['spaces and dots at the end', { path: 'our backups. ' }],
    ['full-width letters', { path: 'ｏｕｒ backups' }],
  ],
  otherSpelledOut: [['the name', { path: 'our backups 2' }]],
  needSecret: [],
  wrong: [
    ['path', { path: '../other' }],
    ['path', { path: 'a//b' }],
    ['path', { path: `${root}/our backups` }],
    ['path', { path: own }],
    ['path', { path: `project-${projectId}` }],
    ['path', { path: `project-${projectId}/../other` }],
    ['path', { path: `project-${projectId.replace('b3', 'c4')}/backups` }],
    ['path', { path: `PROJECT-${projectId}/backups` }],
    ['path', { path: `project-${projectId} /backups` }],
    ['path', { path: 'a/.stowage.json/b' }],
    ['path', { path: 'a/.Stowage-partial-1' }],
  ],
});

describe('kinds of storage', () => {
  const kinds = createStorageKinds({ allowedTargets, filesystemRoot: null });

  test('that are only announced have no endpoints', () => {
    expect(() => kinds.chosenBy({ s3: {} })).toThrow('Use SWIFT or FILESYSTEM');
    expect(() => kinds.of({ kind: 'S3' })).toThrow('does not support file endpoints of kind S3');
  });

  test('keep the folder of an older endpoint, at any place below the root', async () => {
    const kind = filesystemKind({ filesystemRoot: root });
    const before = { kind: 'FILESYSTEM', path: 'shared/orders' } as const;
    for (const path of ['shared/orders', `${root}/shared/orders/`]) {
      const problems = new InputProblems();
      await kind.addProblems(problems, 'path', { path }, { projectId, before });
      expect(problems.fields).toEqual([]);
      expect(kind.afterPatch(before, { path }, projectId).settings).toBe(before);
    }
    expect(kind.afterPatch(before, { path: 'orders' }, projectId).settings.path).toBe(`project-${projectId}/orders`);
  });

  test('do not include folders on a machine without a root', () => {
    const folder = kinds.of({ kind: 'FILESYSTEM' });
    expect(() => folder.target({ kind: 'FILESYSTEM', path: 'a' }, null)).toThrow('This machine offers no folder');
  });
});
