import type { StorageDriver } from '../storage.js';
import { checkSwift } from './checkSwift.js';
import { LoginCache } from './loginCache.js';
import { SegmentMemory } from '../segments/segmentMemory.js';
import { SwiftConnection } from './swiftConnection.js';
import type { SwiftSettings, SwiftTuning } from './swiftSettings.js';
import { SwiftStorage } from './swiftStorage.js';

const mebibyte = 1024 * 1024;

/**
 * OpenStack Swift, with Keystone's service users or the v1 login. All storages that are opened share their logins and
 * the memory for segments: 40 MiB for one upload, 32 MiB each for several at the same time.
 *
 * `open` throws BAD_INPUT for an auth URL or a container's name that cannot be one.
 */
export const swiftDriver: StorageDriver<SwiftSettings> = createSwiftDriver();

/** One that shares nothing with others, as in a process of its own. `tuning` is for storages that say none themselves. */
export function createSwiftDriver(tuning: Partial<SwiftTuning> = {}): StorageDriver<SwiftSettings> {
  const logins = new LoginCache();
  const memory = new SegmentMemory(40 * mebibyte, mebibyte);
  return {
    open: (settings) => new SwiftStorage(new SwiftConnection({ tuning, ...settings }, logins), memory),
    check: checkSwift,
  };
}
