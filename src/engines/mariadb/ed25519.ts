import { ed25519 } from '@noble/curves/ed25519.js';
import { createHash } from 'node:crypto';

/**
 * The answer of MariaDB's plugin `client_ed25519` to a challenge: a signature as in RFC 8032. The password, which may
 * have any length, replaces the 32 random bytes (MariaDB manual, "Authentication Plugin - ed25519"). node:crypto
 * accepts only 32 bytes.
 */
export function signChallenge(password: string, challenge: Uint8Array): Buffer {
  const secret = sha512(Buffer.from(password, 'utf8'));
  const scalar = littleEndian(clamped(secret.subarray(0, 32)));
  const key = encoded(scalar);
  const nonce = modulo(littleEndian(sha512(secret.subarray(32), challenge)));
  const commitment = encoded(nonce);
  const hash = modulo(littleEndian(sha512(commitment, key, challenge)));
  return Buffer.concat([commitment, bytesOf(modulo(nonce + hash * scalar))]);
}

const { Point } = ed25519;

function encoded(scalar: bigint): Uint8Array {
  return Point.BASE.multiply(modulo(scalar)).toBytes();
}

function modulo(value: bigint): bigint {
  return value % Point.Fn.ORDER;
}

function clamped(bytes: Uint8Array): Uint8Array {
  const copy = Uint8Array.from(bytes);
  copy[0] = (copy[0] ?? 0) & 248;
  copy[31] = ((copy[31] ?? 0) & 127) | 64;
  return copy;
}

function sha512(...parts: readonly Uint8Array[]): Buffer {
  const hash = createHash('sha512');
  for (const part of parts) hash.update(part);
  return hash.digest();
}

function littleEndian(bytes: Uint8Array): bigint {
  return BigInt(`0x${Buffer.from(bytes).reverse().toString('hex')}`);
}

function bytesOf(value: bigint): Buffer {
  return Buffer.from(value.toString(16).padStart(64, '0'), 'hex').reverse();
}
