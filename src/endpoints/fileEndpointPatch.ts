import { StowageError } from '../errors.js';
import type { EndpointSettings, SettingsWithSecret } from '../storage/storageKind.js';
import type { StorageKinds } from '../storage/storageKinds.js';
import { anotherKind, type FileEndpointContent } from './fileEndpoint.js';
import type { FileEndpointInput, FileEndpointPatch, FileEndpointSettingsPatch } from './fileEndpointInput.js';
import { storedPrefix } from './fileEndpointRules.js';

/** The fields of an endpoint from a client, with the secret separate. The input was checked before. */
export type StatedEndpoint = Omit<FileEndpointContent, 'credential'> & SettingsWithSecret<EndpointSettings>;

type PatchTools = { readonly projectId: string; readonly storages: StorageKinds };

export function statedEndpoint(input: FileEndpointInput, projectId: string, storages: StorageKinds): StatedEndpoint {
  const chosen = storages.chosenBy(input.settings);
  if (chosen === undefined) throw new StowageError('INTERNAL', 'The input has no settings.');
  return { name: input.name, prefix: storedPrefix(input.prefix), ...chosen.kind.fromInput(chosen.part, projectId) };
}

/**
 * The endpoint after a patch. An absent field keeps its value, and null sets the default. Throws BAD_INPUT for another
 * kind, and SECRET_REQUIRED if the stored secret would be sent to another address.
 */
export function patchedEndpoint(
  before: FileEndpointContent,
  patch: FileEndpointPatch,
  { projectId, storages }: PatchTools,
): StatedEndpoint {
  return {
    ...(patch.settings ? patchedSettings(before, patch.settings, { projectId, storages }) : unchanged(before)),
    name: patch.name ?? before.name,
    prefix: patch.prefix === undefined ? before.prefix : storedPrefix(patch.prefix),
  };
}

function unchanged({ settings, credential }: FileEndpointContent): SettingsWithSecret<EndpointSettings> {
  return { settings, secret: credential === null ? null : undefined };
}

function patchedSettings(
  before: FileEndpointContent,
  patch: FileEndpointSettingsPatch,
  { projectId, storages }: PatchTools,
): SettingsWithSecret<EndpointSettings> {
  const kind = storages.of(before.settings);
  const chosen = storages.chosenBy(patch);
  if (chosen?.kind !== kind) throw anotherKind(kind.name);
  const stated = kind.afterPatch(before.settings, chosen.part, projectId);
  const isSentElsewhere = kind.secretAddress(stated.settings) !== kind.secretAddress(before.settings);
  if (isSentElsewhere && stated.secret === undefined) {
    throw secretRequired(before.name, `${chosen.path}.${kind.secretField ?? ''}`);
  }
  return stated;
}

function secretRequired(name: string, path: string): StowageError {
  return new StowageError(
    'SECRET_REQUIRED',
    `The change would send the stored secret of file endpoint "${name}" to another address.`,
    { help: `Send ${path} together with the new address.`, details: { path } },
  );
}
