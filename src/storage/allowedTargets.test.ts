import { describe, expect, test } from '@jest/globals';
import { allowedTargetsOfUp, defaultAllowedTargets, parseAllowedTargets } from './allowedTargets.js';

describe('allowed targets', () => {
  test.each(['93.184.216.34', '2001:db8::1', '::ffff:93.184.216.34', '64:ff9b::93.184.216.34', '2002:5db8:d822::1'])(
    '%s may be connected to by default',
    (address) => expect(parseAllowedTargets(defaultAllowedTargets).allows(address)).toBe(true),
  );

  test.each([
    '169.254.169.254',
    '::ffff:169.254.169.254',
    '::ffff:a9fe:a9fe',
    '64:ff9b::a9fe:a9fe',
    'fe80::1',
    'fe80::1%eth0',
    'fd00:ec2::254',
    '100.100.100.200',
    '127.0.0.1',
    '127.9.9.9',
    '::1',
    '::ffff:127.0.0.1',
    '0.0.0.0',
    '::',
    '224.0.0.1',
    '240.0.0.1',
    '255.255.255.255',
    'fd00:ec2::254',
    'fd00:0ec2:0::0254',
    'fd20:ce::254',
    'fd00:42::42',
    '168.63.129.16',
    '192.0.0.192',
    '10.0.0.5',
    '172.31.0.1',
    '192.168.1.1',
    '100.64.0.1',
    'fd12::1',
    'fec0::1',
    // The same addresses in other notations.
    '::ffff:10.0.0.5',
    '::ffff:a00:5',
    '0:0:0:0:0:ffff:168.63.129.16',
    '::127.0.0.1',
    '::a9fe:a9fe',
    '::ffff:0:127.0.0.1',
    '64:ff9b::127.0.0.1',
    '64:ff9b::a83f:8110',
    '64:ff9b::10.0.0.5',
    '64:ff9b::192.0.0.192',
    '64:ff9b:1::169.254.169.254',
    '64:ff9b:1:a9fe:a9:fe00::',
    '2002:7f00:1::',
    '2002:a9fe:a9fe::1',
    '2002:a00:5::',
    '2001:0:5db8:d822::5601:5601',
    '2001:0:a9fe:a9fe::a247:27dd',
    '2001:db8::5efe:169.254.169.254',
    '2001:db8::200:5efe:7f00:1',
    'not an address',
  ])('%s may not be connected to by default', (address) =>
    expect(parseAllowedTargets(defaultAllowedTargets).allows(address)).toBe(false),
  );

  test.each(['10.0.0.5', '172.16.0.1', '192.168.1.1', '100.64.0.1', 'fd12::1', '::ffff:10.0.0.5', '64:ff9b::10.0.0.5'])(
    '`private` adds %s, and no metadata address',
    (address) => {
      expect(parseAllowedTargets('default,private').allows(address)).toBe(true);
      expect(parseAllowedTargets('private').allows(address)).toBe(address !== '64:ff9b::10.0.0.5');
      for (const never of [
        'fd00:ec2::254',
        'fd20:ce::254',
        '100.100.100.200',
        '127.0.0.1',
        '64:ff9b:1::169.254.169.254',
      ]) {
        expect(parseAllowedTargets('default,private').allows(never)).toBe(false);
      }
      expect(parseAllowedTargets('private').allows('93.184.216.34')).toBe(false);
    },
  );

  test('`default` of an older installation contains private networks, and other lists do not', () => {
    expect(parseAllowedTargets('default').withPrivateByDefault().allows('10.0.0.5')).toBe(true);
    expect(parseAllowedTargets('default').withPrivateByDefault().allows('168.63.129.16')).toBe(false);
    expect(parseAllowedTargets('db.example.com').withPrivateByDefault().allows('10.0.0.5')).toBe(false);
  });

  test('an embedded address must be allowed, also behind an allowed network', () => {
    const targets = parseAllowedTargets('64:ff9b::/96,10.1.0.0/16');
    expect(targets.allows('64:ff9b::93.184.216.34')).toBe(true);
    expect(targets.allows('64:ff9b::10.1.0.7')).toBe(true);
    expect(targets.allows('64:ff9b::10.2.0.7')).toBe(false);
    expect(targets.allows('64:ff9b::169.254.169.254')).toBe(false);
  });

  test('`up` allows loopback too, but no metadata addresses', () => {
    const targets = parseAllowedTargets(allowedTargetsOfUp);
    expect(targets.allows('127.0.0.1')).toBe(true);
    expect(targets.allows('::1')).toBe(true);
    expect(targets.allowsHost('localhost', '127.0.0.1')).toBe(true);
    expect(targets.allows('169.254.169.254')).toBe(false);
  });

  test('a list without `default` allows only the targets that it names', () => {
    const targets = parseAllowedTargets('10.1.0.0/16, db.example.com, *.swift.example.com, fd12::/16');
    expect(targets.allows('10.1.2.3')).toBe(true);
    expect(targets.allows('10.2.2.3')).toBe(false);
    expect(targets.allows('fd12::5')).toBe(true);
    expect(targets.allowsHost('DB.example.com.', '8.8.8.8')).toBe(true);
    expect(targets.allowsHost('a.swift.example.com', '8.8.8.8')).toBe(true);
    expect(targets.allowsHost('swift.example.com.evil.org', '8.8.8.8')).toBe(false);
  });

  test('no host name gives access to a metadata address; only an entry with the address itself allows it', () => {
    expect(parseAllowedTargets('db.example.com').allowsHost('db.example.com', '169.254.169.254')).toBe(false);
    expect(parseAllowedTargets('169.254.169.254').allowsHost('db.example.com', '169.254.169.254')).toBe(true);
  });

  test.each(['10.0.0.0/33', 'fe80::/129', 'a b', '10.0.0.0/x', 'http://x', '*', '10.0.0.0/8/8'])(
    'the entry %s is refused, and the error names it',
    (entry) => expect(() => parseAllowedTargets(entry)).toThrow(entry),
  );
});
