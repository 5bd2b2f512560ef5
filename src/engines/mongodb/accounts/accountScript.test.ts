import { createContext, runInContext } from 'node:vm';
import { describe, expect, test } from '@jest/globals';
import { BSON } from 'mongodb';
import { accountScript } from './accountScript.js';
import type { Account } from './readAccounts.js';

const role = (name: string, more: object = {}): Account => ({
  ...{ database: 'shop', kind: 'roles', name },
  document: { db: 'shop', role: name, privileges: [], roles: [], ...more },
});
const user = (name: string, more: object = {}, database = 'shop'): Account => ({
  ...{ database, kind: 'users', name },
  document: { db: database, user: name, roles: [], ...more },
});

/** Runs the script as mongosh does, and returns the calls. `present`: the accounts that the server has. */
function calls(script: string, present: readonly string[] = []): readonly (readonly unknown[])[] {
  const made: (readonly unknown[])[] = [];
  const databaseOf = (name: string) => ({
    getRole: (own: string) => (present.includes(`${name}.${own}`) ? {} : null),
    getUser: (own: string) => (present.includes(`${name}.${own}`) ? {} : null),
    createRole: (fields: unknown) => made.push(['createRole', name, fields]),
    createUser: (fields: unknown) => made.push(['createUser', name, fields]),
    grantRolesToRole: (own: string, roles: unknown) => made.push(['grantRolesToRole', name, own, roles]),
    getCollection: (own: string) => ({ insertOne: (fields: unknown) => made.push(['insertOne', name, own, fields]) }),
  });
  const sandbox = { db: { getSiblingDB: databaseOf }, EJSON: BSON.EJSON, passwordPrompt: () => 'typed' };
  runInContext(script, createContext(sandbox));
  return made.map((call) => JSON.parse(JSON.stringify(call)) as readonly unknown[]);
}

describe('The script for users and roles', () => {
  test('creates all roles before it grants roles to them, and users last', () => {
    const privileges = [{ resource: { db: 'shop', collection: 'a"b' }, actions: ['find'] }];
    const inherited = [{ role: 'z', db: 'shop' }];
    const accounts = [role('a', { roles: inherited }), user('cl"erk', { roles: inherited }), role('z', { privileges })];
    expect(calls(accountScript(accounts, { hashes: false }))).toEqual([
      ['createRole', 'shop', { role: 'a', privileges: [], roles: [] }],
      ['createRole', 'shop', { role: 'z', privileges, roles: [] }],
      ['grantRolesToRole', 'shop', 'a', inherited],
      ['createUser', 'shop', { user: 'cl"erk', roles: inherited, pwd: 'typed' }],
    ]);
  });

  test('keeps an account that exists, with its roles', () => {
    const accounts = [role('a', { roles: [{ role: 'read', db: 'shop' }] }), user('clerk')];
    for (const hashes of [true, false]) {
      expect(calls(accountScript(accounts, { hashes }), ['shop.a', 'shop.clerk'])).toEqual([]);
    }
  });

  test('inserts users with the hashes of their passwords as the server stores them', () => {
    const credentials = { 'SCRAM-SHA-256': { iterationCount: { $numberInt: '15000' }, storedKey: 'hash' } };
    const stored = { _id: 'shop.clerk', credentials, customData: { large: { $numberLong: '9007199254740993' } } };
    const script = accountScript([user('clerk', { ...stored, mechanisms: ['SCRAM-SHA-256'] })], { hashes: true });
    expect(script).toContain('"$numberLong":"9007199254740993"');
    expect(calls(script)).toEqual([
      [
        ...['insertOne', 'admin', 'system.users'],
        expect.objectContaining({ _id: 'shop.clerk', user: 'clerk', db: 'shop', roles: [] }),
      ],
    ]);
    expect(script).not.toContain('mechanisms');
  });

  test('keeps from where a user may log in, and asks for no password of a user of a certificate', () => {
    const authenticationRestrictions = [{ clientSource: ['10.0.0.0/8'] }];
    const script = accountScript([user('CN=app', { authenticationRestrictions, credentials: 1 }, '$external')], {
      hashes: false,
    });
    expect(calls(script)).toEqual([
      ['createUser', '$external', { user: 'CN=app', roles: [], authenticationRestrictions }],
    ]);
  });
});
