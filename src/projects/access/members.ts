import { StowageError } from '../../errors.js';
import type { Decider } from '../../eventSourcing/decider.js';

type Role = 'VIEWER' | 'OPERATOR' | 'ADMIN';

/** A person with a role in the whole project (`serviceId` is null), or in one service of it. */
export type Member = {
  readonly issuer: string;
  readonly sub: string;
  readonly serviceId: string | null;
};

/** The members of one project. One stream holds them all, because the rule about the last administrator needs them all. */
export type Members = { readonly members: readonly (Member & { readonly role: Role })[] };

export type MembersCommand = {
  readonly kind: 'SET';
  readonly member: Member;
  /** A name for people, as it is now. It identifies nobody. Null: unknown. */
  readonly name: string | null;
  /** Null removes the member. */
  readonly role: Role | null;
  /** Whether the last administrator may be removed. Only an operator of the installation may do this. */
  readonly mayLeaveNoAdministrator: boolean;
  readonly at: string;
};

export type MembersEvent =
  | {
      readonly type: 'MemberSet';
      readonly data: Member & { readonly name: string | null; readonly role: Role; readonly at: string };
    }
  | { readonly type: 'MemberRemoved'; readonly data: Member & { readonly at: string } };

export const members: Decider<Members, MembersCommand, MembersEvent> = {
  streamType: 'Members',
  initial: { members: [] },

  decide({ member, name, role, mayLeaveNoAdministrator, at }, state) {
    const known = state.members.find((each) => isSame(each, member));
    if (role === null && known === undefined) return [];
    if (role !== 'ADMIN' && isAdministrator(known) && !mayLeaveNoAdministrator) {
      const others = state.members.filter((each) => isAdministrator(each) && !isSame(each, member));
      if (others.length === 0) throw lastAdministrator();
    }
    const { issuer, sub, serviceId } = member;
    if (role === null) return [{ type: 'MemberRemoved', data: { issuer, sub, serviceId, at } }];
    return [{ type: 'MemberSet', data: { issuer, sub, serviceId, name, role, at } }];
  },

  evolve(state, event) {
    const others = state.members.filter((each) => !isSame(each, event.data));
    if (event.type === 'MemberRemoved') return { members: others };
    const { issuer, sub, serviceId, role } = event.data;
    return { members: [...others, { issuer, sub, serviceId, role }] };
  },
};

function isAdministrator(member: Members['members'][number] | undefined): boolean {
  return member?.role === 'ADMIN' && member.serviceId === null;
}

function isSame(one: Member, other: Member): boolean {
  return one.issuer === other.issuer && one.sub === other.sub && one.serviceId === other.serviceId;
}

function lastAdministrator(): StowageError {
  return new StowageError('CONFLICT', 'This member is the last ADMIN of the project, and a project keeps one.', {
    help: 'Make another member ADMIN first. The holder of the installation-level token may remove the last one.',
  });
}
