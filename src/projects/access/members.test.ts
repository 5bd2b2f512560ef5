import { describe, expect, test } from '@jest/globals';
import { fold } from '../../eventSourcing/decider.js';
import { members, type Member, type MembersEvent } from './members.js';

const issuer = 'https://id.example.org';
const at = '2026-11-30T10:00:00.000Z';
const member = (sub: string, serviceId: string | null = null): Member => ({ issuer, sub, serviceId });
const isSet = (sub: string, role: 'VIEWER' | 'OPERATOR' | 'ADMIN', serviceId: string | null = null): MembersEvent => ({
  type: 'MemberSet',
  data: { ...member(sub, serviceId), name: null, role, at },
});
const set = (who: Member, role: 'VIEWER' | 'ADMIN' | null, mayLeaveNoAdministrator = false) =>
  ({ kind: 'SET', member: who, name: null, role, mayLeaveNoAdministrator, at }) as const;
const decide = (given: readonly MembersEvent[], command: ReturnType<typeof set>) =>
  members.decide(command, fold(members, given));

describe('the members of a project', () => {
  test('a person is known by issuer and sub: another issuer with the same sub is another person', () => {
    const other = { ...member('anna'), issuer: 'https://other.example.org' };
    const state = fold(members, [isSet('anna', 'ADMIN'), { type: 'MemberRemoved', data: { ...other, at } }]);
    expect(state.members).toEqual([{ ...member('anna'), role: 'ADMIN' }]);
  });

  test.each([
    ['removed', null],
    ['made VIEWER', 'VIEWER'],
  ] as const)('the last ADMIN cannot be %s', (_what, role) => {
    const given = [isSet('anna', 'ADMIN'), isSet('ben', 'OPERATOR'), isSet('cleo', 'ADMIN', 'a-service')];
    expect(() => decide(given, set(member('anna'), role))).toThrow('is the last ADMIN of the project');
  });

  test('an operator may remove the last ADMIN, and an ADMIN may be removed while there is another', () => {
    expect(decide([isSet('anna', 'ADMIN')], set(member('anna'), null, true))).toEqual([
      { type: 'MemberRemoved', data: { ...member('anna'), at } },
    ]);
    const two = [isSet('anna', 'ADMIN'), isSet('ben', 'ADMIN')];
    expect(decide(two, set(member('anna'), null))).toHaveLength(1);
  });

  test('the removal of a person who is no member changes nothing', () => {
    expect(decide([isSet('anna', 'ADMIN')], set(member('anna', 'a-service'), null))).toEqual([]);
  });
});
