import { CompactEncrypt, compactDecrypt } from 'jose';

/** A key of 32 bytes for one purpose. `id` names it, and may be shown. */
export type SealingKey = { readonly id: string; readonly key: Uint8Array };

/** Encrypts values, so that only processes with the same keys can read and create them. */
export interface Sealing {
  seal(value: object): Promise<string>;
  /** Undefined: the text was not sealed with one of the keys, for example with a key of yesterday, or it was changed. */
  open(sealed: string): Promise<unknown>;
}

/** The first key encrypts, and all can decrypt (JWE with AES-256-GCM). */
export function createSealing(keys: readonly [SealingKey, ...SealingKey[]]): Sealing {
  const [newest] = keys;
  return {
    seal(value) {
      const header = { alg: 'dir', enc: 'A256GCM', kid: newest.id };
      return new CompactEncrypt(Buffer.from(JSON.stringify(value))).setProtectedHeader(header).encrypt(newest.key);
    },
    async open(sealed) {
      try {
        const { plaintext } = await compactDecrypt(
          sealed,
          ({ kid }) => {
            const used = keys.find(({ id }) => id === kid);
            if (used === undefined) throw new Error('The key is unknown.');
            return used.key;
          },
          { keyManagementAlgorithms: ['dir'], contentEncryptionAlgorithms: ['A256GCM'] },
        );
        return JSON.parse(Buffer.from(plaintext).toString('utf8')) as unknown;
      } catch {
        return undefined;
      }
    },
  };
}
