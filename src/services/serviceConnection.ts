import type { DataSource } from 'typeorm';
import type { ServiceConnection } from '../engines/serviceConnection.js';
import { notFound } from '../errors.js';
import type { Vault } from '../postgres/contracts/vault.js';
import type { Secret } from '../secret.js';
import type { StatedSettings } from './servicePatch.js';
import { findService } from './serviceQueries.js';
import type { ServiceRow } from './serviceView.js';

/** A service with the connection that a worker needs. Throws NOT_FOUND. */
export async function openService(
  { dataSource, vault }: { readonly dataSource: DataSource; readonly vault: Vault },
  serviceId: string,
): Promise<{ readonly name: string; readonly connection: ServiceConnection }> {
  const row = await findService(dataSource.manager, serviceId);
  if (row === null) throw notFound('service');
  return { name: row.name, connection: await serviceConnection(row, vault) };
}

/**
 * The connection of a stored service, with the password from the vault. Throws INTERNAL if the password cannot be
 * decrypted.
 */
export async function serviceConnection(row: ServiceRow, vault: Vault): Promise<ServiceConnection> {
  return connectionTo(row, row.credential === null ? null : await vault.reveal(row.projectId, row.credential));
}

export function connectionTo(settings: StatedSettings, password: Secret | null): ServiceConnection {
  const { host, port, username, authSource, tls, databases } = settings;
  return { host, port, username, password, authSource, tls, databases };
}
