import { execFileSync } from 'node:child_process';
import { expect, test } from '@jest/globals';
import { downloadCommand, shellWord } from './downloadCommand.js';

const swift = (container: string) =>
  downloadCommand(
    {
      settings: {
        kind: 'SWIFT',
        authUrl: 'https://keystone.example.org/v3',
        container,
        region: null,
        user: { method: 'V1', user: 'a:b' },
      },
    },
    null,
  );

test('a Swift object is downloaded to standard output', () => {
  expect(swift('backups')('orders-1/x.sql.zst')).toBe('swift download -o - backups orders-1/x.sql.zst');
});

test('a file is read from its place below the root', () => {
  const command = downloadCommand({ settings: { kind: 'FILESYSTEM', path: 'a b' } }, '/var/backups');
  expect(command('orders/x.sql.zst')).toBe("cat '/var/backups/a b/orders/x.sql.zst'");
});

test('a file on a machine without a root has no command', () => {
  expect(() => downloadCommand({ settings: { kind: 'FILESYSTEM', path: 'a' } }, null)).toThrow(
    'This machine offers no folder',
  );
});

test.each(["it's", '$(touch /tmp/x)', '`id`', 'a;b', 'a b', '*', '"', '\\', '~', '#x', 'é', '!', "'"])(
  'the shell gives %j back as one word',
  (text) => {
    const printed = execFileSync('/bin/sh', ['-c', `printf '%s|' ${shellWord(text)}`], { encoding: 'utf8' });
    expect(printed).toBe(`${text}|`);
  },
);
