import { createHash, randomUUID, timingSafeEqual } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import type { DataSource, EntityManager } from 'typeorm';
import { checkOf, type Check } from '../check.js';
import type { Engine } from '../engines/engine.js';
import type { EngineName, Engines } from '../engines/engines.js';
import { notFound, StowageError } from '../errors.js';
import type { CommandHandling, CommandRequest } from '../eventSourcing/commandHandling.js';
import type { EventMetadata } from '../eventSourcing/event.js';
import type { EventStore, Transaction } from '../eventSourcing/eventStore.js';
import type { Vault } from '../postgres/contracts/vault.js';
import type { Secret } from '../secret.js';
import { checkTimeoutMs } from '../server/checkType.js';
import { unlessStopping } from '../server/stopping.js';
import type { AllowedTargets } from '../storage/allowedTargets.js';
import { service, serviceRemoved, type ServiceIdentity, type ServiceSettings } from './service.js';
import { connectionTo } from './serviceConnection.js';
import type { ServicePatch } from './serviceInput.js';
import { patchedSettings, type StatedSettings } from './servicePatch.js';
import { findServiceNamed } from './serviceQueries.js';
import type { ServiceRow } from './serviceView.js';

/** The dependencies of the commands about services. */
export type ServiceTools = {
  readonly dataSource: DataSource;
  readonly store: EventStore;
  readonly commands: CommandHandling;
  readonly vault: Vault;
  /** The engines that this version can back up. */
  readonly engines: Engines;
  readonly allowedTargets: AllowedTargets;
  /** Whether a restore into the service is QUEUED or RUNNING. The slice of restores reads it. */
  readonly restoreUnderWay: (manager: EntityManager, serviceId: string) => Promise<boolean>;
  readonly now: () => Date;
  /** Aborts requests to the network when the server stops. */
  readonly stopping: AbortSignal;
};

export type ServiceRegistration = {
  readonly projectId: string;
  readonly engine: ServiceIdentity['engine'];
  /** Null: a new id is generated. */
  readonly instanceId: string | null;
  readonly settings: StatedSettings;
  readonly password: Secret | null;
};

type Id = { id: string };
const nameKind = 'service';
const instanceKind = 'service instance';

/**
 * Returns the id of the new service. If a service with the same instance id and the same values exists, its id is
 * returned instead. With other values it throws CONFLICT.
 */
export async function registerService(
  tools: ServiceTools,
  request: CommandRequest,
  registration: ServiceRegistration,
): Promise<string> {
  const { projectId, engine, settings, password } = registration;
  const { id } = await tools.commands.handle<Id>(request, (commit) =>
    commit(async (tx) => {
      const id = randomUUID();
      const instanceId = registration.instanceId ?? randomUUID();
      try {
        await tx.reservations.claimName(nameKind, projectId, settings.name, id);
      } catch (error) {
        if (!(error instanceof StowageError)) throw error;
        const existing = await findServiceNamed(tx.manager, projectId, settings.name);
        if (existing !== null && (await isSame(tools, existing, registration))) return { id: existing.id };
        throw error;
      }
      await tx.reservations.claimName(instanceKind, 'installation', instanceId, id);
      await tx.reservations.register(id, nameKind, projectId);
      const credential = password === null ? null : await tools.vault.store(tx.manager, projectId, password);
      const at = tools.now().toISOString();
      const identity = { engine, instanceId };
      await tx.execute(
        service,
        { id, projectId },
        { kind: 'REGISTER', identity, settings: { ...settings, credential }, at },
      );
      return { id };
    }),
  );
  return id;
}

export async function updateService(
  tools: ServiceTools,
  request: CommandRequest,
  row: ServiceRow,
  patch: ServicePatch,
  expectedVersion: number | undefined,
): Promise<void> {
  const { id, projectId } = row;
  await tools.commands.handle<Id>(request, (commit) =>
    commit(async (tx) => {
      await tx.reservations.lock(id);
      const { state } = await tx.load(service, id);
      if (state.status === 'NONE') throw notFound('service');
      const stated = patchedSettings(state.settings, patch, defaultPort(tools, state.identity.engine));
      if (isAnotherServer(state.settings, stated) && (await tools.restoreUnderWay(tx.manager, id))) {
        throw beingRestoredInto(state.settings.name);
      }
      const credential = await keptCredential(tools, tx, projectId, state.settings.credential, patch.password);
      const at = tools.now().toISOString();
      const settings = { ...stated, credential };
      await tx.execute(service, { id, projectId }, { kind: 'UPDATE', settings, at }, expectedVersion);
      if (stated.name !== state.settings.name) {
        await tx.reservations.releaseNames(nameKind, id);
        await tx.reservations.claimName(nameKind, projectId, stated.name, id);
      }
      return { id };
    }),
  );
}

/**
 * Throws SERVICE_IN_USE while a plan, a job or a listed backup needs the service. Deletes its password from the vault.
 */
export async function removeService(
  tools: ServiceTools,
  request: CommandRequest,
  { id, projectId, name }: ServiceRow,
  expectedVersion: number | undefined,
): Promise<void> {
  await tools.commands.handle<Id>(request, (commit) =>
    commit(async (tx) => {
      const { state } = await tx.load(service, id);
      await tx.execute(service, { id, projectId }, { kind: 'REMOVE', at: tools.now().toISOString() }, expectedVersion);
      if (state.status !== 'ACTIVE') return { id };
      await tx.reservations.unregister(id, () => inUse(name));
      // The instance id stays reserved, because URLs that name this service must never lead to another one.
      await tx.reservations.releaseNames(nameKind, id);
      if (state.settings.credential !== null) {
        await tools.vault.erase(tx.manager, state.settings.credential.credentialId);
      }
      return { id };
    }),
  );
}

/** Checks the connection to a service, step by step, within 20 s. Stores nothing. */
export async function validateService(
  tools: ServiceTools,
  engineName: EngineName,
  settings: StatedSettings,
  password: Secret | null,
): Promise<Check> {
  const connection = connectionTo(settings, password);
  const limits = { signal: tools.stopping, timeoutMs: checkTimeoutMs };
  const engine = availableEngine(tools, engineName);
  const steps = await unlessStopping(tools.stopping, () => engine.check(connection, limits));
  return checkOf(steps, tools.now());
}

/**
 * Checks the connection to a stored service with the changes of a patch. Stores the result of the check, but not the
 * patch.
 */
export async function checkService(
  tools: ServiceTools,
  metadata: EventMetadata,
  row: ServiceRow,
  patch: ServicePatch,
): Promise<Check> {
  if (row.removedAt !== null) throw serviceRemoved(row.name);
  const settings = patchedSettings(row, patch, defaultPort(tools, row.engine));
  const password =
    patch.password === undefined && row.credential !== null
      ? await tools.vault.reveal(row.projectId, row.credential)
      : (patch.password ?? null);
  const check = await validateService(tools, row.engine, settings, password);
  await tools.store.transact(metadata, (tx) =>
    tx.execute(service, { id: row.id, projectId: row.projectId }, { kind: 'RECORD_CHECK', check }),
  );
  return check;
}

/**
 * Throws NOT_YET_AVAILABLE for a service that another version registered. The check of the input refuses new ones
 * earlier.
 */
function availableEngine(tools: ServiceTools, name: EngineName): Engine {
  const engine = tools.engines.get(name);
  if (engine === undefined) throw new StowageError('NOT_YET_AVAILABLE', `This version cannot back up ${name}.`);
  return engine;
}

export function defaultPort(tools: ServiceTools, name: EngineName): number {
  return availableEngine(tools, name).defaultPort;
}

async function keptCredential(
  tools: ServiceTools,
  tx: Transaction,
  projectId: string,
  stored: ServiceSettings['credential'],
  password: Secret | null | undefined,
): Promise<ServiceSettings['credential']> {
  if (password === undefined) return stored;
  if (password !== null) return tools.vault.store(tx.manager, projectId, password, stored?.credentialId);
  if (stored !== null) await tools.vault.erase(tx.manager, stored.credentialId);
  return null;
}

async function isSame(tools: ServiceTools, row: ServiceRow, registration: ServiceRegistration): Promise<boolean> {
  const { engine, instanceId, settings, password } = registration;
  const { name, host, port, username, databases, tls, authSource, recoveryPointObjectiveMs } = row;
  const stored = { name, host, port, username, databases, tls, authSource, recoveryPointObjectiveMs };
  if (row.engine !== engine || (instanceId !== null && row.instanceId !== instanceId)) return false;
  if (!isDeepStrictEqual(stored, settings)) return false;
  if (row.credential === null || password === null) return row.credential === null && password === null;
  return isEqualSecret(await tools.vault.reveal(row.projectId, row.credential), password);
}

function isEqualSecret(one: Secret, other: Secret): boolean {
  const digest = (secret: Secret) => createHash('sha256').update(secret.reveal()).digest();
  return timingSafeEqual(digest(one), digest(other));
}

function inUse(name: string): StowageError {
  return new StowageError('SERVICE_IN_USE', `A plan, a job or a listed backup needs service "${name}".`);
}

/**
 * Whether a change moves the service. If it does, the change must wait for running restores, whose sessions must be
 * ended at the old address.
 */
function isAnotherServer(before: StatedSettings, after: StatedSettings): boolean {
  return before.host !== after.host || before.port !== after.port || before.username !== after.username;
}

function beingRestoredInto(name: string): StowageError {
  return new StowageError(
    'SERVICE_IN_USE',
    `A restore into service "${name}" is running or waiting, so its address cannot change now.`,
    {
      help: 'Wait until the restore has ended, or cancel it. When its sessions there have ended, change host, port or user name.',
    },
  );
}
