import { createHash } from 'node:crypto';
import type { Definition } from '../../inventory.js';
import { mayHoldPasswords } from '../catalog/storageEngines.js';

/** Longer texts are replaced by their digest. */
const longestText = 100;

/**
 * Computes the hash from `parts`, in their order. `besides` are stored and compared too, but are not part of the hash.
 * A text for which `isSecret` returns true is replaced by its digest.
 */
export function definitionOf(
  parts: ReadonlyMap<string, string>,
  {
    besides = {},
    isSecret = () => false,
  }: {
    readonly besides?: Readonly<Record<string, string>>;
    readonly isSecret?: (part: string) => boolean;
  } = {},
): Definition {
  const shownPart = ([name, text]: readonly [string, string]): [string, string] => [
    name,
    text.length > longestText || isSecret(name) ? digest(text).slice(0, 16) : text,
  ];
  return {
    hash: digest(JSON.stringify([...parts])),
    parts: Object.fromEntries([...[...parts].map(shownPart), ...Object.entries(besides)]),
  };
}

/**
 * Engines whose rows are stored elsewhere have passwords in options and comments (CONNECTION, OPTION_LIST, the COMMENT
 * of SPIDER's tables and partitions).
 */
export function mayHoldPassword(engine: string | null | undefined): (part: string) => boolean {
  const anyOption = mayHoldPasswords(engine);
  return (part) =>
    anyOption ? part.startsWith('option ') || /^(partitions|column )/.test(part) : part === 'option CONNECTION';
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
