import type { EntityManager } from 'typeorm';
import type { Secret } from '../../secret.js';

/** A reference to a stored credential. Events and views hold it, never the secret. */
export type CredentialRef = { readonly credentialId: string; readonly credentialVersion: number };

/**
 * Encrypted credentials (AES-256-GCM): each has its own data key, which the master key wraps. The API cannot read them.
 */
export interface Vault {
  /** Stores a new credential, or with `credentialId` the next version of one, within the caller's transaction. */
  store(manager: EntityManager, projectId: string, secret: Secret, credentialId?: string): Promise<CredentialRef>;
  /** The secret of that version. Throws INTERNAL, with the credential's id, if it is missing or cannot be decrypted. */
  reveal(projectId: string, ref: CredentialRef): Promise<Secret>;
  erase(manager: EntityManager, credentialId: string): Promise<void>;
}
