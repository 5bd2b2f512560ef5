import type { EntityManager } from 'typeorm';
import type { Secret } from '../../secret.js';

/** Names a stored credential. Events and views hold this, never the secret. */
export type CredentialRef = { readonly credentialId: string; readonly credentialVersion: number };

/** Credentials at rest: AES-256-GCM under a data key of their own, wrapped by the master key. Write-only through the API. */
export interface Vault {
  /** Stores a new credential, or with `credentialId` the next version of one, within the caller's transaction. */
  store(manager: EntityManager, projectId: string, secret: Secret, credentialId?: string): Promise<CredentialRef>;
  /** The secret of that version. Absent or not decryptable: INTERNAL, naming the credential. */
  reveal(projectId: string, ref: CredentialRef): Promise<Secret>;
  erase(manager: EntityManager, credentialId: string): Promise<void>;
}
