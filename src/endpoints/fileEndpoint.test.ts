import { describe, expect, test } from '@jest/globals';
import { refuseMove, type EndpointSettings, type FileEndpointContent, type SwiftUser } from './fileEndpoint.js';

const serviceUser: SwiftUser = {
  ...{ method: 'SERVICE_USER', username: 'backup', userDomain: 'Default' },
  ...{ project: 'demo', projectDomain: 'Default' },
};
const v1: SwiftUser = { method: 'V1', user: 'demo:backup' };

function content(settings: EndpointSettings): FileEndpointContent {
  return { name: 'backups', settings, prefix: '', credential: null };
}

function swift(user: SwiftUser, change: { readonly authUrl?: string; readonly container?: string } = {}) {
  return content({ kind: 'SWIFT', authUrl: 'https://keystone/v3', container: 'c', region: null, user, ...change });
}

describe('A file endpoint that holds backups', () => {
  test.each<[string, FileEndpointContent, FileEndpointContent]>([
    ['container', swift(v1), swift(v1, { container: 'd' })],
    ['project of its Service User', swift(serviceUser), swift({ ...serviceUser, project: 'other' })],
    ['domain of that project', swift(serviceUser), swift({ ...serviceUser, projectDomain: 'other' })],
    ['account of its v1 user', swift(v1), swift({ method: 'V1', user: 'other:backup' })],
    ['folder', content({ kind: 'FILESYSTEM', path: 'a' }), content({ kind: 'FILESYSTEM', path: 'b' })],
  ])('keeps the %s', (_part, before, after) => {
    expect(() => refuseMove(before, after, true)).toThrow('cannot move');
    expect(() => refuseMove(before, after, false)).not.toThrow();
  });

  test.each<[string, FileEndpointContent, FileEndpointContent]>([
    ['address of its Keystone', swift(v1), swift(v1, { authUrl: 'https://elsewhere/v3' })],
    ['Service User', swift(serviceUser), swift({ ...serviceUser, username: 'backup-2' })],
    ['v1 user of the account', swift(v1), swift({ method: 'V1', user: 'demo:backup-2' })],
  ])('may get another %s', (_part, before, after) => {
    expect(() => refuseMove(before, after, true)).not.toThrow();
  });
});
