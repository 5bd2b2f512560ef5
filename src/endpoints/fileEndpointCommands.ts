import { randomUUID } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import type { DataSource, EntityManager } from 'typeorm';
import type { Check } from '../check.js';
import { notFound, StowageError } from '../errors.js';
import type { CommandHandling, CommandRequest } from '../eventSourcing/commandHandling.js';
import type { EventMetadata } from '../eventSourcing/event.js';
import type { EventStore, Transaction } from '../eventSourcing/eventStore.js';
import type { Vault } from '../postgres/contracts/vault.js';
import type { Secret } from '../secret.js';
import type { StorageTarget } from '../storage/storageKind.js';
import type { StorageKinds } from '../storage/storageKinds.js';
import type { Scope } from '../server/scope.js';
import { unlessStopping } from '../server/stopping.js';
import { checkAndClaim } from './checkAndClaim.js';
import { checkStorage, type CheckTools } from './checkStorage.js';
import { fileEndpoint, fileEndpointRemoved, refuseMove, type FileEndpointContent, type Move } from './fileEndpoint.js';
import type { FileEndpointPatch } from './fileEndpointInput.js';
import { patchedEndpoint, type StatedEndpoint } from './fileEndpointPatch.js';
import { findFileEndpointNamed } from './fileEndpointQueries.js';
import type { FileEndpointRow } from './fileEndpointView.js';
import { refuseTakenPlace, type Place } from './neighbours.js';

/** The dependencies of the commands about file endpoints. */
export type FileEndpointTools = CheckTools & {
  readonly dataSource: DataSource;
  readonly store: EventStore;
  readonly commands: CommandHandling;
  readonly vault: Vault;
  readonly storages: StorageKinds;
  /** Whether an endpoint has listed backups, or jobs that may become backups. A later slice provides this. */
  readonly holdsBackups: (manager: EntityManager, fileEndpointId: string) => Promise<boolean>;
  /** The folder of the newest stored backup of each prefix, ending in `/`. A later slice provides this. */
  readonly newestBackupFolders: (manager: EntityManager, fileEndpointId: string) => Promise<readonly string[]>;
};

type Id = { id: string };
const nameKind = 'file endpoint';

/** Checks a place step by step, within 20 s. Saves nothing and leaves nothing behind. */
export function validateFileEndpoint(
  tools: FileEndpointTools,
  stated: StatedEndpoint,
  endpoint: Pick<Place, 'projectId'> & Partial<Place>,
): Promise<Check> {
  const target = targetOf(tools, stated, stated.secret ?? null);
  return unlessStopping(tools.stopping, () => checkStorage(target, placeOf(stated, endpoint), tools));
}

/**
 * Checks the place (CHECK_FAILED), claims its prefix (CONFLICT if another installation or project owns it), then saves.
 * Returns the id.
 */
export async function createFileEndpoint(
  tools: FileEndpointTools,
  request: CommandRequest,
  { projectId, serviceId }: Scope,
  stated: StatedEndpoint,
): Promise<string> {
  const { name, settings, prefix, secret = null } = stated;
  const { id } = await tools.commands.handle<Id>(request, async (commit) => {
    if ((await findFileEndpointNamed(tools.dataSource.manager, projectId, name)) !== null) throw nameTaken(name);
    const target = targetOf(tools, stated, secret);
    const place = placeOf(stated, { projectId });
    const check = await unlessStopping(tools.stopping, () => checkAndClaim(tools, target, name, place));
    return commit(async (tx) => {
      await refuseTakenPlace(tx.manager, tools.storages, place);
      const id = randomUUID();
      await tx.reservations.claimName(nameKind, projectId, name, id);
      await tx.reservations.register(id, nameKind, projectId);
      const credential = secret === null ? null : await tools.vault.store(tx.manager, projectId, secret);
      const content: FileEndpointContent = { name, settings, prefix, credential };
      const at = tools.now().toISOString();
      await tx.execute(fileEndpoint, { id, projectId }, { kind: 'CREATE', content, serviceId, check, at });
      return { id };
    });
  });
  return id;
}

/** A change of any field except the name is checked first, as at creation. */
export async function updateFileEndpoint(
  tools: FileEndpointTools,
  request: CommandRequest,
  { id, projectId }: FileEndpointRow,
  patch: FileEndpointPatch,
  expectedVersion: number | undefined,
): Promise<void> {
  await tools.commands.handle<Id>(request, async (commit) => {
    const before = await activeContent(tools, id);
    const stated = patchedEndpoint(before, patch, { projectId, storages: tools.storages });
    const held = await tools.holdsBackups(tools.dataSource.manager, id);
    const move = (holdsBackups: boolean): Move => ({ holdsBackups, isElsewhere: leadElsewhere(tools, before, stated) });
    refuseMove(before, stated, move(held));
    const place = placeOf(stated, { projectId, fileEndpointId: id, isHeld: isHeldPlace(tools, before, stated, held) });
    const check = needsCheck(before, stated) ? await checkChange(tools, place, before, stated, held) : undefined;
    return commit(async (tx) => {
      // Because of the lock, a job for the old place is either queued before this change, or refused.
      await tx.reservations.lock(id);
      const { state } = await tx.load(fileEndpoint, id);
      if (state.status === 'NONE') throw notFound('file endpoint');
      if (!isDeepStrictEqual(state.content, before)) throw changedMeanwhile(before.name);
      await refuseTakenPlace(tx.manager, tools.storages, place);
      const { name, settings, prefix, secret } = stated;
      const content = {
        name,
        settings,
        prefix,
        credential: await keptCredential(tools, tx, projectId, before, secret),
      };
      const holdsBackups = await tools.holdsBackups(tx.manager, id);
      const at = tools.now().toISOString();
      const stream = { id, projectId };
      const update = { kind: 'UPDATE', content, move: move(holdsBackups), at } as const;
      await tx.execute(fileEndpoint, stream, update, expectedVersion);
      if (check !== undefined) await tx.execute(fileEndpoint, stream, { kind: 'RECORD_CHECK', check });
      if (name !== before.name) {
        await tx.reservations.releaseNames(nameKind, id);
        await tx.reservations.claimName(nameKind, projectId, name, id);
      }
      return { id };
    });
  });
}

/**
 * Throws ENDPOINT_IN_USE while a plan, a job or a listed backup needs the endpoint. Erases its secret from the vault
 * and does not change the container.
 */
export async function removeFileEndpoint(
  tools: FileEndpointTools,
  request: CommandRequest,
  { id, projectId, name }: FileEndpointRow,
  expectedVersion: number | undefined,
): Promise<void> {
  await tools.commands.handle<Id>(request, (commit) =>
    commit(async (tx) => {
      const { state } = await tx.load(fileEndpoint, id);
      const at = tools.now().toISOString();
      await tx.execute(fileEndpoint, { id, projectId }, { kind: 'REMOVE', at }, expectedVersion);
      if (state.status !== 'ACTIVE') return { id };
      await tx.reservations.unregister(id, () => inUse(name));
      await tx.reservations.releaseNames(nameKind, id);
      const { credential } = state.content;
      if (credential !== null) await tools.vault.erase(tx.manager, credential.credentialId);
      return { id };
    }),
  );
}

/** Checks a stored endpoint, in its current state or after a patch. Only the result of the check is saved. */
export async function checkFileEndpoint(
  tools: FileEndpointTools,
  metadata: EventMetadata,
  { id, projectId }: FileEndpointRow,
  patch: FileEndpointPatch,
): Promise<Check> {
  const before = await activeContent(tools, id);
  const stated = patchedEndpoint(before, patch, { projectId, storages: tools.storages });
  const secret = await effectiveSecret(tools, projectId, before, stated);
  const holdsBackups = await tools.holdsBackups(tools.dataSource.manager, id);
  const isHeld = isHeldPlace(tools, before, stated, holdsBackups);
  const check = await validateFileEndpoint(tools, { ...stated, secret }, { projectId, fileEndpointId: id, isHeld });
  await tools.store.transact(metadata, (tx) =>
    tx.execute(fileEndpoint, { id, projectId }, { kind: 'RECORD_CHECK', check }),
  );
  return check;
}

async function checkChange(
  tools: FileEndpointTools,
  place: Place & { readonly fileEndpointId: string },
  before: FileEndpointContent,
  stated: StatedEndpoint,
  holdsBackups: boolean,
): Promise<Check> {
  const { fileEndpointId: id, projectId } = place;
  const secret = await effectiveSecret(tools, projectId, before, stated);
  const target = targetOf(tools, stated, secret);
  const isOtherAddress = !isDeepStrictEqual(stated.settings, before.settings);
  const folders = isOtherAddress ? await tools.newestBackupFolders(tools.dataSource.manager, id) : [];
  const backups = holdsBackups ? { ...before, folders } : undefined;
  return unlessStopping(tools.stopping, () => checkAndClaim(tools, target, stated.name, place, backups));
}

/** The place that the endpoint leads to with the stated settings. */
function placeOf<Endpoint extends Pick<Place, 'projectId'> & Partial<Place>>(
  { settings, prefix }: StatedEndpoint,
  endpoint: Endpoint,
): Place & Endpoint {
  return { isHeld: false, ...endpoint, settings, prefix };
}

/**
 * Whether the endpoint is at the stated place already. A new address of an endpoint with backups counts: the change is
 * refused later if it leads elsewhere. So does another way to write the same address.
 */
function isHeldPlace(
  { storages }: FileEndpointTools,
  before: FileEndpointContent,
  stated: StatedEndpoint,
  holdsBackups: boolean,
): boolean {
  if (stated.prefix !== before.prefix) return false;
  const kind = storages.of(before.settings);
  // `spelledOut` ignores letter case that may make a difference, and `placeOf` does not name the server.
  const placesOf = ({ settings, prefix }: Pick<StatedEndpoint, 'settings' | 'prefix'>) => [
    kind.placeOf(settings),
    kind.spelledOut(settings, prefix),
  ];
  return holdsBackups || isDeepStrictEqual(placesOf(stated), placesOf(before));
}

async function activeContent(tools: FileEndpointTools, id: string): Promise<FileEndpointContent> {
  const { state } = await tools.store.load(fileEndpoint, id);
  if (state.status === 'NONE') throw notFound('file endpoint');
  if (state.status === 'REMOVED') throw fileEndpointRemoved(state.content.name);
  return state.content;
}

async function effectiveSecret(
  tools: FileEndpointTools,
  projectId: string,
  { credential }: FileEndpointContent,
  { secret }: StatedEndpoint,
): Promise<Secret | null> {
  if (secret !== undefined) return secret;
  return credential === null ? null : tools.vault.reveal(projectId, credential);
}

async function keptCredential(
  tools: FileEndpointTools,
  tx: Transaction,
  projectId: string,
  { credential }: FileEndpointContent,
  secret: Secret | null | undefined,
): Promise<FileEndpointContent['credential']> {
  if (secret === undefined || secret === null) return credential;
  return tools.vault.store(tx.manager, projectId, secret, credential?.credentialId);
}

function targetOf(
  { storages }: FileEndpointTools,
  { settings, createContainer = false }: StatedEndpoint,
  secret: Secret | null,
): StorageTarget {
  return storages.of(settings).target(settings, secret, { createContainer });
}

/** Settings of another kind were refused earlier. */
function leadElsewhere({ storages }: FileEndpointTools, before: FileEndpointContent, after: StatedEndpoint): boolean {
  const kind = storages.of(before.settings);
  return !isDeepStrictEqual(kind.placeOf(before.settings), kind.placeOf(after.settings));
}

function needsCheck(before: FileEndpointContent, { settings, prefix, secret }: StatedEndpoint): boolean {
  if (secret !== undefined && secret !== null) return true;
  return prefix !== before.prefix || !isDeepStrictEqual(settings, before.settings);
}

function nameTaken(name: string): StowageError {
  return new StowageError('CONFLICT', `The name '${name}' is taken by another file endpoint.`, {
    details: { kind: nameKind, name },
    help: 'Choose another name.',
  });
}

function changedMeanwhile(name: string): StowageError {
  return new StowageError('CONFLICT', `File endpoint "${name}" was changed while this change was checked.`);
}

function inUse(name: string): StowageError {
  return new StowageError(
    'ENDPOINT_IN_USE',
    `File endpoint "${name}" is used by a plan or a job, or holds listed backups.`,
  );
}
