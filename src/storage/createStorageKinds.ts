import type { AllowedTargets } from './allowedTargets.js';
import { filesystemKind } from './filesystem/filesystemKind.js';
import { s3Kind } from './s3/s3Kind.js';
import { StorageKinds } from './storageKinds.js';
import { swiftKind } from './swift/swiftKind.js';

/** The limits of the installation for its file endpoints. */
export type StorageLimits = {
  readonly allowedTargets: AllowedTargets;
  /** An absolute path. Null: endpoints of kind FILESYSTEM are refused. */
  readonly filesystemRoot: string | null;
};

/** Every kind of storage has a folder next to this file, and a line here. */
export function createStorageKinds(limits: StorageLimits): StorageKinds {
  return new StorageKinds([swiftKind(limits), s3Kind, filesystemKind(limits)]);
}
