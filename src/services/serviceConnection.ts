import type { ServiceConnection } from '../engines/engine.js';
import type { Vault } from '../postgres/contracts/vault.js';
import type { Secret } from '../secret.js';
import type { StatedSettings } from './servicePatch.js';
import type { ServiceRow } from './serviceView.js';

/** How to reach a stored service, its password out of the vault. Throws INTERNAL when that cannot be decrypted. */
export async function serviceConnection(row: ServiceRow, vault: Vault): Promise<ServiceConnection> {
  return connectionTo(row, row.credential === null ? null : await vault.reveal(row.projectId, row.credential));
}

export function connectionTo(settings: StatedSettings, password: Secret | null): ServiceConnection {
  const { host, port, username, authSource, tls, databases } = settings;
  return { host, port, username, password, authSource, tls, databases };
}
