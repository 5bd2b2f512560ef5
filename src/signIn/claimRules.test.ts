import { describe, expect, test } from '@jest/globals';
import { grantsOfClaims, parseClaimRules } from './claimRules.js';

const admins = { claim: 'groups', contains: 'backup-admins', role: 'ADMIN', project: 'shop' };
const rulesOf = (...rules: readonly object[]) => parseClaimRules(JSON.stringify(rules));

describe('rules about claims', () => {
  test.each([
    ['a list that contains the value', { groups: ['x', 'backup-admins'] }, true],
    ['a list without the value', { groups: ['x', 'backup-admins-2'] }, false],
    ['the value itself', { groups: 'backup-admins' }, true],
    ['a longer text', { groups: 'not backup-admins' }, false],
    ['a list in a list', { groups: [['backup-admins']] }, false],
    ['no such claim', {}, false],
    ['a claim of the prototype', Object.create({ groups: 'backup-admins' }) as object, false],
  ])('give a role for %s: %#', (_what, claims, holds) => {
    const grants = grantsOfClaims(rulesOf(admins), claims);
    expect(grants).toEqual(holds ? [{ role: 'ADMIN', project: 'shop' }] : []);
  });

  test('read nested claims, and claims whose names have dots', () => {
    const rules = rulesOf(
      { ...admins, claim: ['realm_access', 'roles'], role: 'VIEWER' },
      { ...admins, claim: 'https://example.org/roles', role: 'OPERATOR' },
    );
    const claims = { realm_access: { roles: ['backup-admins'] }, 'https://example.org/roles': ['backup-admins'] };
    expect(grantsOfClaims(rules, claims).map(({ role }) => role)).toEqual(['VIEWER', 'OPERATOR']);
  });

  test('compare with equals exactly, and with the type of the value', () => {
    const { contains: _, ...rest } = admins;
    const rules = rulesOf({ ...rest, claim: 'email_verified', equals: true });
    expect(grantsOfClaims(rules, { email_verified: true })).toHaveLength(1);
    expect(grantsOfClaims(rules, { email_verified: 'true' })).toHaveLength(0);
    expect(grantsOfClaims(rules, { email_verified: [true] })).toHaveLength(0);
  });

  test('are quick for a claim of 300 kB', () => {
    const groups = [...Array.from({ length: 30_000 }, (_, index) => `group ${index}`), 'backup-admins'];
    expect(grantsOfClaims(rulesOf(admins, admins), { groups })).toHaveLength(1);
  });

  test.each([
    ['{', 'it is not JSON'],
    ['{}', 'it is not a JSON list'],
    [JSON.stringify([admins, { ...admins, role: 'OWNER' }]), 'rule 2 is wrong: role: '],
    [JSON.stringify([{ ...admins, equals: 'x' }]), 'rule 1 is wrong: exactly one of contains and equals is needed'],
    [JSON.stringify([{ ...admins, claims: 'x' }]), 'rule 1 is wrong: '],
    [JSON.stringify([{ ...admins, claim: [] }]), 'rule 1 is wrong: claim: '],
    [JSON.stringify([{ ...admins, project: '' }]), 'rule 1 is wrong: project: '],
  ])('%s is refused, and the wrong rule is named', (text, reason) => {
    expect(() => parseClaimRules(text)).toThrow(reason);
  });
});
