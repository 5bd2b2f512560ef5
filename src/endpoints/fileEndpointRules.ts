import { liesInAttemptFolder } from '../archive/layout.js';
import { notYetAvailable } from '../errors.js';
import { entityName, InputProblems, refuseNulls, text, type Rule } from '../server/inputValidation.js';
import type { EndpointSettings, EndpointToState } from '../storage/storageKind.js';
import type { StorageKinds } from '../storage/storageKinds.js';
import type { FileEndpointInput, FileEndpointPatch } from './fileEndpointInput.js';

/**
 * All problems of a new endpoint or a change, without using the network. Throws NOT_YET_AVAILABLE for settings that are
 * not built yet.
 */
export async function endpointProblems(
  input: FileEndpointInput | FileEndpointPatch,
  endpoint: EndpointToState<EndpointSettings>,
  storages: StorageKinds,
): Promise<InputProblems> {
  const chosen = storages.chosenBy(input.settings);
  if (input.encryption) throw notYetAvailable('Encryption is not built yet. Omit input.encryption.');
  const problems = new InputProblems()
    .check('input.name', input.name, entityName)
    .check('input.prefix', input.prefix, prefixRule);
  await chosen?.kind.addProblems(problems, chosen.path, chosen.part, endpoint);
  return problems;
}

/** All problems of a change. In a change, null is allowed only for fields that have a default. */
export async function endpointPatchProblems(
  patch: FileEndpointPatch,
  endpoint: EndpointToState<EndpointSettings>,
  storages: StorageKinds,
): Promise<InputProblems> {
  const problems = await endpointProblems(patch, endpoint, storages);
  refuseNulls(problems, 'input', patch, ['name', 'settings']);
  const chosen = storages.chosenBy(patch.settings);
  if (chosen !== undefined) {
    const { kind, path, part } = chosen;
    refuseNulls<Record<string, unknown>>(problems, path, { ...part }, kind.fieldsWithoutDefault);
  }
  return problems;
}

/** `backups`, `backups/` and `backups//` are one prefix: `backups/`. */
export function storedPrefix(prefix: string | null | undefined): string {
  const folder = (prefix ?? '').replace(/\/+$/, '');
  return folder === '' ? '' : `${folder}/`;
}

const prefixRule: Rule<string> = (prefix) => {
  if (prefix === '') return undefined;
  const hint = 'Write folders with slashes between them, for example backups/orders.';
  const unlikely = text(1, 255)(prefix);
  if (unlikely !== undefined) return unlikely;
  if (prefix.startsWith('/')) return { problem: 'begins with a slash', hint };
  if (prefix.startsWith('-')) return { problem: 'begins with a dash', hint };
  const parts = prefix.replace(/\/+$/, '').split('/');
  if (parts.includes('..') || parts.includes('.')) return { problem: 'has a part that means another folder', hint };
  if (parts.includes('')) return { problem: 'has empty parts', hint };
  if (parts.some((part) => part.toLowerCase().startsWith('.stowage'))) {
    return { problem: 'has a part that is reserved for files of Stowage', hint };
  }
  // The deletion of that backup would delete the backups below this prefix too.
  return liesInAttemptFolder(prefix) ? { problem: 'lies in the folder of a backup', hint } : undefined;
};
