import { describe, expect, test } from '@jest/globals';
import { refuseMove, type FileEndpointContent } from './fileEndpoint.js';

const content = (kind: string): FileEndpointContent => ({
  ...{ name: 'backups', prefix: '', credential: null },
  settings: { kind },
});

describe('A file endpoint', () => {
  test('that holds backups cannot be moved to another place', () => {
    const move = (holdsBackups: boolean, isElsewhere: boolean) =>
      refuseMove(content('SWIFT'), content('SWIFT'), { holdsBackups, isElsewhere });
    expect(() => move(true, true)).toThrow('cannot change');
    expect(() => move(true, false)).not.toThrow();
    expect(() => move(false, true)).not.toThrow();
  });

  test('never changes its kind', () => {
    const move = { holdsBackups: false, isElsewhere: false };
    expect(() => refuseMove(content('SWIFT'), content('FILESYSTEM'), move)).toThrow(
      expect.objectContaining({ code: 'BAD_INPUT' }),
    );
  });
});
