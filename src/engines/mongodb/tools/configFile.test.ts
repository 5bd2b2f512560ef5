import { describe, expect, test } from '@jest/globals';
import { Secret } from '../../../secret.js';
import type { ServiceConnection } from '../../serviceConnection.js';
import { dumpArguments } from '../dump/dump.js';
import { mongodbRestoreByHand } from '../restore/restore.js';
import { configFileText } from './configFile.js';

const connection: ServiceConnection = {
  ...{
    host: 'db.example.org',
    port: 27_018,
    username: 'a:b@c/d?',
    password: new Secret('p"\\: #\u00e9'),
    authSource: 'my db',
  },
  ...{ databases: null, tls: { mode: 'OFF', ca: null } },
};
const textOf = (changes: Partial<ServiceConnection>, address = '192.0.2.7', caFile: string | null = null) =>
  configFileText({ ...connection, ...changes }, { address }, { caFile, appName: 'stowage-backup' });

describe('The file with the login of a tool of MongoDB', () => {
  test('quotes every part, and connects only to the address that was checked', () => {
    expect(textOf({})).toBe(
      'uri: "mongodb://a%3Ab%40c%2Fd%3F@192.0.2.7:27018/?directConnection=true&appName=stowage-backup&serverSelectionTimeoutMS=15000&connectTimeoutMS=15000&authSource=my%20db"\n' +
        'password: "p\\"\\\\: #é"\n',
    );
  });

  test('names the host for the certificate, and an IPv6 address in brackets', () => {
    expect(textOf({ tls: { mode: 'VERIFY', ca: 'pem' } }, '192.0.2.7', '/proc/self/fd/4')).toMatch(
      /@db\.example\.org:27018\/.*&tls=true&tlsCAFile=%2Fproc%2Fself%2Ffd%2F4"/,
    );
    expect(textOf({ tls: { mode: 'REQUIRE', ca: null }, username: null, password: null }, '2001:db8::1')).toMatch(
      /^uri: "mongodb:\/\/\[2001:db8::1\]:27018\/\?[^@]*&tls=true&tlsInsecure=true"\n$/,
    );
  });
});

describe('The arguments of the tools of MongoDB', () => {
  test('never read the name of a database as an option or a pattern', () => {
    expect(dumpArguments({ databases: ['--out=/x'] })).toEqual(['--archive', '--db=--out=/x']);
    expect(dumpArguments({})).toEqual(['--archive', '--oplog']);
    const part = { name: 'x', extension: 'archive' };
    expect(mongodbRestoreByHand({ ...part, databases: ["a*b'c\\"] })).toMatch(/ '--nsInclude=a\\\*b'\\''c\\\\\.\*'$/);
    expect(mongodbRestoreByHand(part)).toMatch(/--keepIndexVersion --oplogReplay$/);
  });
});
