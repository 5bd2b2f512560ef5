import { StowageError } from '../errors.js';
import type { Vault } from '../postgres/contracts/vault.js';
import type { Secret } from '../secret.js';
import type { AllowedTargets } from '../storage/allowedTargets.js';
import type { CheckOptions, Storage, StorageDriver } from '../storage/storage.js';
import type { CheckStep } from '../check.js';
import type { EndpointSettings } from './fileEndpoint.js';
import type { FileEndpointRow } from './fileEndpointView.js';

/** The storages that file endpoints can be, as the composition hands them over. */
export type StorageAccess = {
  readonly swift: StorageDriver<SwiftTarget>;
  readonly filesystem: StorageDriver<FilesystemTarget>;
  /** Null: endpoints of kind FILESYSTEM are refused. */
  readonly filesystemRoot: string | null;
  readonly allowedTargets: AllowedTargets;
};

export type SwiftTarget = {
  readonly authUrl: string;
  readonly container: string;
  readonly region?: string;
  readonly createContainer?: boolean;
  readonly credentials: SwiftTargetCredentials;
  readonly allowHost: (host: string, address: string) => boolean;
};

export type SwiftTargetCredentials =
  | {
      readonly kind: 'SERVICE_USER';
      readonly username: string;
      readonly password: Secret;
      readonly userDomain: string;
      readonly project: string;
      readonly projectDomain: string;
    }
  | { readonly kind: 'V1'; readonly user: string; readonly key: Secret };

export type FilesystemTarget = { readonly root: string; readonly path: string };

/** A place that can be opened or checked: settings and secret together. */
export type StorageTarget = {
  open(): Storage;
  check(options: CheckOptions): Promise<readonly CheckStep[]>;
};

/**
 * Opens the storage of a stored endpoint; whoever opens it closes it. Throws ENDPOINT_FORBIDDEN for a FILESYSTEM
 * endpoint on a machine without STOWAGE_FILESYSTEM_ROOT, INTERNAL when the secret cannot be decrypted.
 */
export async function openStorage(
  row: FileEndpointRow,
  { storages, vault }: { readonly storages: StorageAccess; readonly vault: Vault },
): Promise<Storage> {
  const secret = row.credential === null ? null : await vault.reveal(row.projectId, row.credential);
  return storageTarget(storages, row.settings, secret).open();
}

export function storageTarget(
  storages: StorageAccess,
  settings: EndpointSettings,
  secret: Secret | null,
  createContainer = false,
): StorageTarget {
  return settings.kind === 'SWIFT'
    ? target(storages.swift, swiftTarget(settings, secret, createContainer, storages.allowedTargets))
    : target(storages.filesystem, { root: requiredRoot(storages.filesystemRoot), path: settings.path });
}

function target<Settings>(kind: StorageDriver<Settings>, settings: Settings): StorageTarget {
  return { open: () => kind.open(settings), check: (options) => kind.check(settings, options) };
}

function swiftTarget(
  { authUrl, container, region, user }: EndpointSettings & { kind: 'SWIFT' },
  secret: Secret | null,
  createContainer: boolean,
  allowedTargets: AllowedTargets,
): SwiftTarget {
  if (secret === null) throw new StowageError('INTERNAL', `The Swift endpoint of ${container} has no secret.`);
  const { method, ...names } = user;
  const credentials = { kind: method, ...names, ...(method === 'V1' ? { key: secret } : { password: secret }) };
  return {
    ...{ authUrl, container, createContainer, allowHost: allowedTargets.allowsHost },
    ...(region === null ? {} : { region }),
    credentials: credentials as SwiftTargetCredentials,
  };
}

export function requiredRoot(root: string | null): string {
  if (root !== null) return root;
  throw new StowageError('ENDPOINT_FORBIDDEN', 'This machine offers no folder for file endpoints of kind FILESYSTEM.', {
    help: 'Have the operator set STOWAGE_FILESYSTEM_ROOT to the folder that holds the backups.',
  });
}
