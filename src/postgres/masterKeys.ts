import { createHmac, createSecretKey, hkdfSync, type KeyObject } from 'node:crypto';
import { StowageError } from '../errors.js';
import type { Secret } from '../secret.js';

/** A key that encrypts other keys. `id` is a fingerprint that may be stored and shown. */
export type MasterKey = { readonly id: string; readonly key: KeyObject };

/** At least one key, the newest first. The first one encrypts, and all can decrypt. */
export type MasterKeys = readonly [MasterKey, ...MasterKey[]];

/** Reads keys of 32 bytes in base64, newest first. Throws BAD_INPUT, which names the wrong key by its position. */
export function masterKeys(keys: readonly (Secret | string)[]): MasterKeys {
  const [newest, ...older] = keys.map((each, index) => {
    const bytes = Buffer.from(typeof each === 'string' ? each : each.reveal(), 'base64');
    if (bytes.length !== 32) {
      throw new StowageError(
        'BAD_INPUT',
        `Master key ${index + 1} has ${bytes.length} bytes in base64 instead of 32.`,
        {
          help: 'Create one with: openssl rand -base64 32',
        },
      );
    }
    const key = createSecretKey(bytes);
    return { id: createHmac('sha256', key).update('stowage master key id').digest('hex').slice(0, 16), key };
  });
  if (newest === undefined) {
    throw new StowageError('BAD_INPUT', 'There is no master key.', {
      help: 'Create one with: openssl rand -base64 32',
    });
  }
  return [newest, ...older];
}

/** A key for one purpose, from which neither the master key nor a key for another purpose can be computed. */
export function derivedKey({ key }: MasterKey, purpose: string): Buffer {
  return Buffer.from(hkdfSync('sha256', key, Buffer.alloc(0), `stowage ${purpose}`, 32));
}
