import { createHash } from 'node:crypto';
import type { Definition } from '../../engine.js';

/**
 * The version of how definitions are normalised. It is raised whenever the same object would get another hash: hashes of
 * two versions are not compared.
 */
export const normalisation = 1;

/** Longer texts are told by their digest. */
const longestText = 100;

/**
 * `parts` make the hash, in their order. `besides` are told and compared as well, and are no part of the hash. A text
 * of `secret` is never told: it may hold a password.
 */
export function definitionOf(
  parts: ReadonlyMap<string, string>,
  {
    besides = {},
    secret = [],
  }: { readonly besides?: Readonly<Record<string, string>>; readonly secret?: readonly string[] } = {},
): Definition {
  const told = ([name, text]: readonly [string, string]): [string, string] => [
    name,
    text.length > longestText || secret.includes(name) ? digest(text).slice(0, 16) : text,
  ];
  return {
    hash: digest(JSON.stringify([...parts])),
    parts: Object.fromEntries([...[...parts].map(told), ...Object.entries(besides)]),
  };
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
