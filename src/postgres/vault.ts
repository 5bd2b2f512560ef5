import { createCipheriv, createDecipheriv, createSecretKey, randomBytes, type KeyObject } from 'node:crypto';
import type { DataSource, EntityManager } from 'typeorm';
import { v7 as uuidv7 } from 'uuid';
import { StowageError } from '../errors.js';
import { Secret } from '../secret.js';
import type { CredentialRef, Vault } from './contracts/vault.js';
import type { MasterKeys } from './masterKeys.js';
import { unavailableOnOutage } from './sqlErrors.js';

export type RotatingVault = Vault & {
  /**
   * Wraps all data keys of older master keys with the newest one, and returns their number. After that the older master
   * keys are no longer needed. The secrets are not decrypted.
   */
  rewrap(): Promise<number>;
};

type StoredCredential = {
  readonly credential_id: string;
  readonly version: number;
  readonly project_id: string;
  readonly master_key_id: string;
  readonly wrapped_key: Buffer;
  readonly sealed_secret: Buffer;
};

/**
 * Credentials in PostgreSQL. Each version has its own data key, which the newest master key wraps. Both encryptions
 * authenticate project, credential and version, so that a row that is moved to another place cannot be decrypted.
 */
export function createVault(dataSource: DataSource, masterKeys: MasterKeys): RotatingVault {
  const [newest] = masterKeys;
  return {
    async store(manager, projectId, secret, credentialId = uuidv7()) {
      const version = await nextVersion(manager, projectId, credentialId);
      const bound = place({ project_id: projectId, credential_id: credentialId, version });
      const dataKey = randomBytes(32);
      await manager.query(
        `INSERT INTO vault_credentials (credential_id, version, project_id, master_key_id, wrapped_key, sealed_secret)
         VALUES ($1, $2, $3, $4, $5, $6)`,
        [
          ...[credentialId, version, projectId, newest.id],
          seal(newest.key, dataKey, bound),
          seal(createSecretKey(dataKey), Buffer.from(secret.reveal(), 'utf8'), bound),
        ],
      );
      return { credentialId, credentialVersion: version };
    },

    async reveal(projectId, ref) {
      const [row] = await unavailableOnOutage(
        dataSource.query<StoredCredential[]>(
          'SELECT * FROM vault_credentials WHERE credential_id = $1 AND version = $2 AND project_id = $3',
          [ref.credentialId, ref.credentialVersion, projectId],
        ),
      );
      if (row === undefined) throw unreadable(ref, 'is not in the vault');
      try {
        return new Secret(open(unwrap(masterKeys, row), row.sealed_secret, place(row)).toString('utf8'));
      } catch (error) {
        if (error instanceof StowageError) throw error;
        throw unreadable(ref, 'cannot be decrypted: its row was changed, or the master key differs', error);
      }
    },

    async erase(manager, credentialId) {
      await manager.query('DELETE FROM vault_credentials WHERE credential_id = $1', [credentialId]);
    },

    rewrap() {
      return dataSource.transaction(async (manager) => {
        const rows = await manager.query<StoredCredential[]>(
          'SELECT * FROM vault_credentials WHERE master_key_id <> $1 FOR UPDATE',
          [newest.id],
        );
        for (const row of rows) {
          await manager.query(
            `UPDATE vault_credentials SET master_key_id = $3, wrapped_key = $4
             WHERE credential_id = $1 AND version = $2`,
            [row.credential_id, row.version, newest.id, seal(newest.key, unwrap(masterKeys, row).export(), place(row))],
          );
        }
        return rows.length;
      });
    },
  };
}

function unwrap(masterKeys: MasterKeys, row: StoredCredential): KeyObject {
  const master = masterKeys.find(({ id }) => id === row.master_key_id);
  if (master === undefined) {
    throw new StowageError(
      'INTERNAL',
      `Credential ${row.credential_id} is encrypted with master key ${row.master_key_id}.`,
      {
        help: 'Add this older master key to STOWAGE_MASTER_KEY_FILE again, after the newest key.',
      },
    );
  }
  return createSecretKey(open(master.key, row.wrapped_key, place(row)));
}

async function nextVersion(manager: EntityManager, projectId: string, credentialId: string): Promise<number> {
  const [newest] = await manager.query<{ version: number; project_id: string }[]>(
    'SELECT version, project_id FROM vault_credentials WHERE credential_id = $1 ORDER BY version DESC LIMIT 1',
    [credentialId],
  );
  if (newest === undefined) return 1;
  if (newest.project_id === projectId) return newest.version + 1;
  throw new StowageError('INTERNAL', `Credential ${credentialId} belongs to another project.`);
}

/** Twelve bytes of nonce, sixteen of tag, then the ciphertext (AES-256-GCM, NIST SP 800-38D). */
function seal(key: KeyObject, plain: Buffer, bound: Buffer): Buffer {
  const nonce = randomBytes(12);
  const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(bound);
  const sealed = Buffer.concat([cipher.update(plain), cipher.final()]);
  return Buffer.concat([nonce, cipher.getAuthTag(), sealed]);
}

/** Throws if key, bytes or place differ from the values at the encryption. */
function open(key: KeyObject, sealed: Buffer, bound: Buffer): Buffer {
  const decipher = createDecipheriv('aes-256-gcm', key, sealed.subarray(0, 12), { authTagLength: 16 })
    .setAAD(bound)
    .setAuthTag(sealed.subarray(12, 28));
  return Buffer.concat([decipher.update(sealed.subarray(28)), decipher.final()]);
}

function place(row: Pick<StoredCredential, 'project_id' | 'credential_id' | 'version'>): Buffer {
  return Buffer.from(JSON.stringify([row.project_id, row.credential_id, row.version]), 'utf8');
}

function unreadable(ref: CredentialRef, why: string, cause?: unknown): StowageError {
  return new StowageError('INTERNAL', `Credential ${ref.credentialId} version ${ref.credentialVersion} ${why}.`, {
    help: 'Enter the secret again.',
    cause,
  });
}
