import type { DataSource } from 'typeorm';
import { notFound } from '../errors.js';
import type { Vault } from '../postgres/contracts/vault.js';
import type { Storage } from '../storage/storage.js';
import { downloadCommand } from './downloadCommand.js';
import { findFileEndpoint } from './fileEndpointQueries.js';
import { openStorage, type StorageAccess } from './openStorage.js';

/** A file endpoint by its id, with all that a worker needs. Whoever opens it closes `storage`. */
export type OpenedFileEndpoint = {
  readonly storage: Storage;
  /** Empty, or a folder path ending in `/`. */
  readonly prefix: string;
  /** How a person downloads an object to standard output. */
  readonly downloadCommand: (objectName: string) => string;
};

/** Throws NOT_FOUND, and what `openStorage` throws. */
export async function openFileEndpoint(
  tools: { readonly dataSource: DataSource; readonly vault: Vault; readonly storages: StorageAccess },
  fileEndpointId: string,
): Promise<OpenedFileEndpoint> {
  const row = await findFileEndpoint(tools.dataSource.manager, fileEndpointId);
  if (row === null) throw notFound('file endpoint');
  return {
    storage: await openStorage(row, tools),
    prefix: row.prefix,
    downloadCommand: downloadCommand(row, tools.storages.filesystemRoot),
  };
}
