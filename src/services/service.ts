import type { Check } from '../check.js';
import type { EngineName } from '../engines/engines.js';
import { notFound, StowageError } from '../errors.js';
import { changedFields } from '../eventSourcing/changedFields.js';
import type { Decider } from '../eventSourcing/decider.js';

/** One data service that is backed up. The state names the credential in the vault and never holds the secret. */
export type ServiceSettings = {
  readonly name: string;
  readonly host: string;
  readonly port: number;
  readonly username: string | null;
  readonly credential: { readonly credentialId: string; readonly credentialVersion: number } | null;
  /** Null: all databases except the databases of the system. */
  readonly databases: readonly string[] | null;
  readonly tls: { readonly mode: 'OFF' | 'REQUIRE' | 'VERIFY'; readonly ca: string | null };
  readonly authSource: string | null;
  readonly recoveryPointObjectiveMs: number | null;
};

export type ServiceIdentity = {
  readonly engine: EngineName;
  /** The platform's service instance, unique in the installation. */
  readonly instanceId: string;
};

export type Service =
  | { readonly status: 'NONE' }
  | { readonly status: 'ACTIVE' | 'REMOVED'; readonly identity: ServiceIdentity; readonly settings: ServiceSettings };

export type ServiceCommand =
  | {
      readonly kind: 'REGISTER';
      readonly identity: ServiceIdentity;
      readonly settings: ServiceSettings;
      readonly at: string;
    }
  | { readonly kind: 'UPDATE'; readonly settings: ServiceSettings; readonly at: string }
  | { readonly kind: 'RECORD_CHECK'; readonly check: Check }
  | { readonly kind: 'REMOVE'; readonly at: string };

export type ServiceEvent =
  | {
      readonly type: 'ServiceRegistered';
      readonly data: ServiceIdentity & { readonly settings: ServiceSettings; readonly at: string };
    }
  | {
      readonly type: 'ServiceUpdated';
      readonly data: { readonly changes: Partial<ServiceSettings>; readonly at: string };
    }
  | { readonly type: 'ServiceChecked'; readonly data: { readonly check: Check } }
  | { readonly type: 'ServiceRemoved'; readonly data: { readonly at: string } };

export const service: Decider<Service, ServiceCommand, ServiceEvent> = {
  streamType: 'Service',
  initial: { status: 'NONE' },

  decide(command, state) {
    if (command.kind === 'REGISTER') {
      if (state.status !== 'NONE') throw new StowageError('CONFLICT', 'The service is registered already.');
      const { identity, settings, at } = command;
      return [{ type: 'ServiceRegistered', data: { ...identity, settings, at } }];
    }
    if (state.status === 'NONE') throw notFound('service');
    switch (command.kind) {
      case 'UPDATE': {
        if (state.status === 'REMOVED') throw serviceRemoved(state.settings.name);
        const changes = changedFields(state.settings, command.settings);
        return Object.keys(changes).length === 0 ? [] : [{ type: 'ServiceUpdated', data: { changes, at: command.at } }];
      }
      case 'RECORD_CHECK':
        if (state.status === 'REMOVED') throw serviceRemoved(state.settings.name);
        return [{ type: 'ServiceChecked', data: { check: command.check } }];
      case 'REMOVE':
        return state.status === 'REMOVED' ? [] : [{ type: 'ServiceRemoved', data: { at: command.at } }];
    }
  },

  evolve(state, event) {
    if (event.type === 'ServiceRegistered') {
      const { engine, instanceId, settings } = event.data;
      return { status: 'ACTIVE', identity: { engine, instanceId }, settings };
    }
    if (state.status === 'NONE') return state;
    switch (event.type) {
      case 'ServiceUpdated':
        return { ...state, settings: { ...state.settings, ...event.data.changes } };
      case 'ServiceChecked':
        return state;
      case 'ServiceRemoved':
        return { ...state, status: 'REMOVED' };
    }
  },
};

export function serviceRemoved(name: string): StowageError {
  return new StowageError('CONFLICT', `Service "${name}" was removed.`, { help: 'Register it again.' });
}
