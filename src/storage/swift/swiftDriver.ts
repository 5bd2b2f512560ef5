import type { StorageDriver } from '../storage.js';
import { checkSwift } from './checkSwift.js';
import { LoginCache } from './loginCache.js';
import { SegmentMemory } from '../segments/segmentMemory.js';
import { SwiftConnection } from './swiftConnection.js';
import type { SwiftSettings, SwiftTuning } from './swiftSettings.js';
import { SwiftStorage } from './swiftStorage.js';

const mebibyte = 1024 * 1024;

/**
 * OpenStack Swift, with Keystone's service users or the v1 login. All open storages share their logins and the memory for
 * segments: 40 MiB for one upload, 32 MiB each for several at the same time.
 *
 * `open` throws BAD_INPUT for an invalid auth URL or container name.
 */
export const swiftDriver: StorageDriver<SwiftSettings> = createSwiftDriver();

/** Creates a driver that shares nothing with other drivers. `tuning` applies to settings without their own tuning. */
export function createSwiftDriver(tuning: Partial<SwiftTuning> = {}): StorageDriver<SwiftSettings> {
  const logins = new LoginCache();
  const memory = new SegmentMemory(40 * mebibyte, mebibyte);
  return {
    open: (settings) => new SwiftStorage(new SwiftConnection({ tuning, ...settings }, logins), memory),
    check: (settings, options) => checkSwift(settings, memory, options),
  };
}
