import { StowageError } from '../../errors.js';
import type { Decider } from '../../eventSourcing/decider.js';

/**
 * A token with which a program acts in one project, or in one service of it. The log holds neither the token nor its hash:
 * only `access_token_hashes` does.
 */
export type AccessToken =
  { readonly status: 'NONE' } | { readonly status: 'ACTIVE' | 'REVOKED'; readonly name: string };

export type AccessTokenContent = {
  readonly name: string;
  readonly role: 'VIEWER' | 'OPERATOR' | 'ADMIN';
  /** Null: the token acts in the whole project. */
  readonly serviceId: string | null;
  readonly expiresAt: string | null;
};

export type AccessTokenCommand =
  | { readonly kind: 'CREATE'; readonly content: AccessTokenContent; readonly at: string }
  | { readonly kind: 'REVOKE'; readonly at: string };

export type AccessTokenEvent =
  | {
      readonly type: 'AccessTokenCreated';
      readonly data: { readonly content: AccessTokenContent; readonly at: string };
    }
  | { readonly type: 'AccessTokenRevoked'; readonly data: { readonly at: string } };

export const accessToken: Decider<AccessToken, AccessTokenCommand, AccessTokenEvent> = {
  streamType: 'AccessToken',
  initial: { status: 'NONE' },

  decide(command, state) {
    if (command.kind === 'CREATE') {
      if (state.status !== 'NONE') throw new StowageError('CONFLICT', 'The access token exists already.');
      return [{ type: 'AccessTokenCreated', data: { content: command.content, at: command.at } }];
    }
    return state.status === 'ACTIVE' ? [{ type: 'AccessTokenRevoked', data: { at: command.at } }] : [];
  },

  evolve(state, event) {
    if (event.type === 'AccessTokenCreated') return { status: 'ACTIVE', name: event.data.content.name };
    return state.status === 'NONE' ? state : { ...state, status: 'REVOKED' };
  },
};
