import { isDeepStrictEqual } from 'node:util';
import type { Check } from '../check.js';
import { badInput, notFound, StowageError } from '../errors.js';
import { changedFields } from '../eventSourcing/changedFields.js';
import type { Decider } from '../eventSourcing/decider.js';

/** Where backups go, without its secrets: what lies in events and views. */
export type EndpointSettings =
  | {
      readonly kind: 'SWIFT';
      readonly authUrl: string;
      readonly container: string;
      readonly region: string | null;
      readonly user: SwiftUser;
    }
  | { readonly kind: 'FILESYSTEM'; readonly path: string };

export type SwiftUser =
  | {
      readonly method: 'SERVICE_USER';
      readonly username: string;
      readonly userDomain: string;
      readonly project: string;
      readonly projectDomain: string;
    }
  | { readonly method: 'V1'; readonly user: string };

export type FileEndpointContent = {
  readonly name: string;
  readonly settings: EndpointSettings;
  /** Empty, or a folder path ending in `/`. */
  readonly prefix: string;
  readonly credential: { readonly credentialId: string; readonly credentialVersion: number } | null;
};

export type FileEndpoint =
  { readonly status: 'NONE' } | { readonly status: 'ACTIVE' | 'REMOVED'; readonly content: FileEndpointContent };

export type FileEndpointCommand =
  | {
      readonly kind: 'CREATE';
      readonly content: FileEndpointContent;
      readonly check: Check;
      readonly at: string;
    }
  | {
      readonly kind: 'UPDATE';
      readonly content: FileEndpointContent;
      /** Whether listed backups lie there: then where it points to must not change. */
      readonly holdsBackups: boolean;
      readonly at: string;
    }
  | { readonly kind: 'RECORD_CHECK'; readonly check: Check }
  | { readonly kind: 'REMOVE'; readonly at: string };

export type FileEndpointEvent =
  | {
      readonly type: 'FileEndpointCreated';
      readonly data: { readonly content: FileEndpointContent; readonly check: Check; readonly at: string };
    }
  | {
      readonly type: 'FileEndpointUpdated';
      readonly data: { readonly changes: Partial<FileEndpointContent>; readonly at: string };
    }
  | { readonly type: 'FileEndpointChecked'; readonly data: { readonly check: Check } }
  | { readonly type: 'FileEndpointRemoved'; readonly data: { readonly at: string } };

export const fileEndpoint: Decider<FileEndpoint, FileEndpointCommand, FileEndpointEvent> = {
  streamType: 'FileEndpoint',
  initial: { status: 'NONE' },

  decide(command, state) {
    if (command.kind === 'CREATE') {
      if (state.status !== 'NONE') throw new StowageError('CONFLICT', 'The file endpoint exists already.');
      const { content, check, at } = command;
      return [{ type: 'FileEndpointCreated', data: { content, check, at } }];
    }
    if (state.status === 'NONE') throw notFound('file endpoint');
    switch (command.kind) {
      case 'UPDATE': {
        if (state.status === 'REMOVED') throw fileEndpointRemoved(state.content.name);
        refuseMove(state.content, command.content, command.holdsBackups);
        const changes = changedFields(state.content, command.content);
        return Object.keys(changes).length === 0
          ? []
          : [{ type: 'FileEndpointUpdated', data: { changes, at: command.at } }];
      }
      case 'RECORD_CHECK':
        if (state.status === 'REMOVED') throw fileEndpointRemoved(state.content.name);
        return [{ type: 'FileEndpointChecked', data: { check: command.check } }];
      case 'REMOVE':
        return state.status === 'REMOVED' ? [] : [{ type: 'FileEndpointRemoved', data: { at: command.at } }];
    }
  },

  evolve(state, event) {
    if (event.type === 'FileEndpointCreated') return { status: 'ACTIVE', content: event.data.content };
    if (state.status === 'NONE') return state;
    switch (event.type) {
      case 'FileEndpointUpdated':
        return { ...state, content: { ...state.content, ...event.data.changes } };
      case 'FileEndpointChecked':
        return state;
      case 'FileEndpointRemoved':
        return { ...state, status: 'REMOVED' };
    }
  },
};

/** What a person recognises: container at region, or folder. */
export function endpointLocation(settings: EndpointSettings): string {
  if (settings.kind === 'FILESYSTEM') return settings.path;
  return settings.region === null ? settings.container : `${settings.container} at ${settings.region}`;
}

/** Throws BAD_INPUT for another kind, and ENDPOINT_IN_USE where listed backups would be left behind. */
export function refuseMove(
  before: FileEndpointContent,
  after: Pick<FileEndpointContent, 'settings'>,
  holdsBackups: boolean,
): void {
  if (before.settings.kind !== after.settings.kind) throw anotherKind(before.settings.kind);
  if (holdsBackups && !isDeepStrictEqual(place(before.settings), place(after.settings))) {
    throw new StowageError('ENDPOINT_IN_USE', `File endpoint "${before.name}" holds backups and cannot move.`, {
      help: 'Create another file endpoint for the new place, or delete the backups first. What failed attempts left there goes by itself.',
    });
  }
}

export function anotherKind(kind: EndpointSettings['kind']): StowageError {
  return badInput([
    {
      path: 'input.settings',
      problem: `The file endpoint is of kind ${kind} and cannot become another.`,
      hint: 'Create a new file endpoint of that kind.',
    },
  ]);
}

/** The parts that say where the bytes are; changing them would lose the backups that lie there. */
function place(settings: EndpointSettings): readonly unknown[] {
  if (settings.kind === 'FILESYSTEM') return [settings.path];
  return [settings.container, settings.region, ...account(settings.user)];
}

/** Containers of one name lie in each account: that of the project, or what stands before the colon of a v1 user. */
function account(user: SwiftUser): readonly string[] {
  return user.method === 'V1' ? [user.user.split(':')[0] ?? ''] : [user.project, user.projectDomain];
}

export function fileEndpointRemoved(name: string): StowageError {
  return new StowageError('CONFLICT', `File endpoint "${name}" was removed.`, { help: 'Create it again.' });
}
