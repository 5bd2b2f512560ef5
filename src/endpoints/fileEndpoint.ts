import type { Check } from '../check.js';
import { badInput, notFound, StowageError } from '../errors.js';
import { changedFields } from '../eventSourcing/changedFields.js';
import type { Decider } from '../eventSourcing/decider.js';
import type { EndpointSettings } from '../storage/storageKind.js';

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
      /** The service that it is created from. Absent or null: it is created for the whole project. */
      readonly serviceId?: string | null;
      readonly check: Check;
      readonly at: string;
    }
  | {
      readonly kind: 'UPDATE';
      readonly content: FileEndpointContent;
      readonly move: Move;
      readonly at: string;
    }
  | { readonly kind: 'RECORD_CHECK'; readonly check: Check }
  | { readonly kind: 'REMOVE'; readonly at: string };

/** Whether a change of an endpoint would leave its backups behind. */
export type Move = {
  /** Whether listed backups are at the endpoint. */
  readonly holdsBackups: boolean;
  /** Whether the settings after the change mean another place, by the rules of their kind. */
  readonly isElsewhere: boolean;
};

export type FileEndpointEvent =
  | {
      readonly type: 'FileEndpointCreated';
      readonly data: {
        readonly content: FileEndpointContent;
        readonly serviceId: string | null;
        readonly check: Check;
        readonly at: string;
      };
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
  schemaVersions: { FileEndpointCreated: 2 },
  upcasters: { 'FileEndpointCreated@1': (data) => ({ ...data, serviceId: null }) },

  decide(command, state) {
    if (command.kind === 'CREATE') {
      if (state.status !== 'NONE') throw new StowageError('CONFLICT', 'The file endpoint exists already.');
      const { content, serviceId = null, check, at } = command;
      return [{ type: 'FileEndpointCreated', data: { content, serviceId, check, at } }];
    }
    if (state.status === 'NONE') throw notFound('file endpoint');
    switch (command.kind) {
      case 'UPDATE': {
        if (state.status === 'REMOVED') throw fileEndpointRemoved(state.content.name);
        refuseMove(state.content, command.content, command.move);
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

/** Throws BAD_INPUT for another kind, and ENDPOINT_IN_USE if listed backups would be left behind. */
export function refuseMove(
  before: FileEndpointContent,
  after: Pick<FileEndpointContent, 'settings'>,
  { holdsBackups, isElsewhere }: Move,
): void {
  if (before.settings.kind !== after.settings.kind) throw anotherKind(before.settings.kind);
  if (holdsBackups && isElsewhere) {
    throw new StowageError(
      'ENDPOINT_IN_USE',
      `File endpoint "${before.name}" contains backups, so its place cannot change.`,
      {
        help: 'Create another file endpoint for the new place, or delete the backups first. The remains of failed attempts are deleted automatically.',
      },
    );
  }
}

export function anotherKind(kind: EndpointSettings['kind']): StowageError {
  return badInput([
    {
      path: 'input.settings',
      problem: `The file endpoint has the kind ${kind}, which cannot change.`,
      hint: 'Create a new file endpoint of that kind.',
    },
  ]);
}

export function fileEndpointRemoved(name: string): StowageError {
  return new StowageError('CONFLICT', `File endpoint "${name}" was removed.`, { help: 'Create it again.' });
}
