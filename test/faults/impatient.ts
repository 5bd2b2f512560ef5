import type { SwiftTuning } from '../../src/storage/swift/swiftSettings.js';

/** Small segments, so that a small dump has many of them. Short timeouts, so that a dead connection is detected soon. */
export const impatient: Partial<SwiftTuning> = {
  smallSegmentBytes: 512 * 1024,
  largeSegmentBytes: 512 * 1024,
  connectTimeoutMs: 2_000,
  headersTimeoutMs: 1_000,
  bodyIdleTimeoutMs: 1_000,
  attempts: 3,
  backoffMs: 5,
  maxBackoffMs: 20,
};
