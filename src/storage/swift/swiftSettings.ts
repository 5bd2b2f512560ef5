import type { Secret } from '../../secret.js';
import type { HttpLimits } from '../http/httpClient.js';
import type { RetryLimits } from '../http/retry.js';
import type { SegmentSizes } from '../segments/segmentedUpload.js';

/** A container with the credentials to write to it. */
export type SwiftSettings = {
  /** Keystone's address (with or without `/v3`), or for `V1` the whole address of the v1 login. http or https. */
  readonly authUrl: string;
  readonly container: string;
  /** Optional if the catalogue has one region only. The `V1` login has no regions. */
  readonly region?: string;
  /** Creates the container before the first write if it does not exist. Default: no. */
  readonly createContainer?: boolean;
  readonly credentials: SwiftCredentials;
  /**
   * Called for every address before a connection to it is opened: for the address that a person entered, and for the
   * address in the catalogue. Default: `parseAllowedTargets(defaultAllowedTargets)`, which refuses loopback, link-local
   * and metadata.
   */
  readonly allowHost?: (host: string, address: string) => boolean;
  /** Differences from `defaultTuning`. */
  readonly tuning?: Partial<SwiftTuning>;
};

export type SwiftCredentials =
  | {
      readonly kind: 'SERVICE_USER';
      readonly username: string;
      readonly password: Secret;
      readonly userDomain: string;
      readonly project: string;
      readonly projectDomain: string;
    }
  /** `user` is `account:user`, as in `swift -U`. */
  | { readonly kind: 'V1'; readonly user: string; readonly key: Secret };

export type SwiftTuning = HttpLimits &
  RetryLimits &
  SegmentSizes & {
    /** The number of names that one request for a listing requests. */
    readonly listingPage: number;
  };

const mebibyte = 1024 * 1024;

/** 1,000 segments, Swift's default limit of one manifest, hold 27 GiB. */
export const defaultTuning: SwiftTuning = {
  smallSegmentBytes: 16 * mebibyte,
  largeSegmentBytes: 32 * mebibyte,
  smallSegments: 250,
  concurrency: 2,
  connectTimeoutMs: 10_000,
  headersTimeoutMs: 60_000,
  bodyIdleTimeoutMs: 60_000,
  attempts: 8,
  backoffMs: 500,
  maxBackoffMs: 30_000,
  listingPage: 1000,
};
