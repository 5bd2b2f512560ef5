import type { DataSource } from 'typeorm';
import { notFound } from '../errors.js';
import type { Vault } from '../postgres/contracts/vault.js';
import type { Storage } from '../storage/storage.js';
import type { StorageKinds } from '../storage/storageKinds.js';
import { findFileEndpoint } from './fileEndpointQueries.js';
import type { FileEndpointRow } from './fileEndpointView.js';

/** The dependencies for opening an endpoint. */
export type StorageAccess = { readonly storages: StorageKinds; readonly vault: Vault };

/** A file endpoint by its id, with everything that a worker needs. The caller closes `storage`. */
export type OpenedFileEndpoint = {
  readonly storage: Storage;
  /** Empty, or a folder path ending in `/`. */
  readonly prefix: string;
  /** The command with which a person downloads an object to standard output. */
  readonly downloadCommand: (objectName: string) => string;
};

/** Throws NOT_FOUND, and what `openStorage` throws. */
export async function openFileEndpoint(
  tools: StorageAccess & { readonly dataSource: DataSource },
  fileEndpointId: string,
): Promise<OpenedFileEndpoint> {
  const row = await findFileEndpoint(tools.dataSource.manager, fileEndpointId);
  if (row === null) throw notFound('file endpoint');
  const kind = tools.storages.of(row.settings);
  return {
    storage: await openStorage(row, tools),
    prefix: row.prefix,
    downloadCommand: (objectName) => kind.downloadCommand(row.settings, objectName),
  };
}

/**
 * Opens the storage of a stored endpoint. The caller closes it. Throws ENDPOINT_FORBIDDEN if this machine does not
 * offer the kind, and INTERNAL if the secret cannot be decrypted.
 */
export async function openStorage(
  { settings, credential, projectId }: FileEndpointRow,
  { storages, vault }: StorageAccess,
): Promise<Storage> {
  const secret = credential === null ? null : await vault.reveal(projectId, credential);
  return storages.of(settings).target(settings, secret).open();
}
