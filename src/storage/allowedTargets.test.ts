import { describe, expect, test } from '@jest/globals';
import { allowedTargetsOfUp, defaultAllowedTargets, parseAllowedTargets } from './allowedTargets.js';

describe('allowed targets', () => {
  test.each(['10.0.0.5', '192.168.1.1', '93.184.216.34', '2001:db8::1', '::ffff:10.0.0.5'])(
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
    'not an address',
  ])('%s may not be connected to by default', (address) =>
    expect(parseAllowedTargets(defaultAllowedTargets).allows(address)).toBe(false),
  );

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

  test('no name leads to a metadata address; only the address itself allows it', () => {
    expect(parseAllowedTargets('db.example.com').allowsHost('db.example.com', '169.254.169.254')).toBe(false);
    expect(parseAllowedTargets('169.254.169.254').allowsHost('db.example.com', '169.254.169.254')).toBe(true);
  });

  test.each(['10.0.0.0/33', 'fe80::/129', 'a b', '10.0.0.0/x', 'http://x', '*', '10.0.0.0/8/8'])(
    'the entry %s is refused, and the error names it',
    (entry) => expect(() => parseAllowedTargets(entry)).toThrow(entry),
  );
});
