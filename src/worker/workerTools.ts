import type { Logger } from 'pino';
import type { DataSource } from 'typeorm';
import type { Engines } from '../engines/engines.js';
import type { ServiceConnection } from '../engines/serviceConnection.js';
import type { EventStore } from '../eventSourcing/eventStore.js';
import type { JobQueue } from '../postgres/contracts/jobQueue.js';
import type { PrefixMarks } from '../postgres/contracts/prefixMarks.js';
import type { Signals, Telemetry } from '../postgres/contracts/telemetry.js';
import type { WorkerRegistry } from '../postgres/contracts/workerRegistry.js';
import type { Storage } from '../storage/storage.js';

/** What every part of a worker works with. */
export type WorkerTools = {
  /** Unique among all workers that ever ran: a restarted process is another worker. */
  readonly workerId: string;
  readonly installationId: string;
  readonly store: EventStore;
  /** For reading views; whatever is written goes through the store's transactions. */
  readonly dataSource: DataSource;
  readonly queue: JobQueue;
  readonly signals: Signals;
  readonly telemetry: Telemetry;
  readonly workers: WorkerRegistry;
  readonly prefixMarks: PrefixMarks;
  readonly engines: Engines;
  readonly serviceOf: (serviceId: string) => Promise<OpenedService>;
  readonly storageOf: (fileEndpointId: string) => Promise<OpenedStorage>;
  readonly log: Logger;
  /** The time of the PostgreSQL server: what all workers say happened, happened by one clock. */
  readonly now: () => Date;
  /** By the clock of this machine, which may be wrong. */
  readonly machineNow: () => Date;
  /** From 0 up to 1, for jitter. */
  readonly random: () => number;
  /** Where each run gets a folder of its own, 0700; best on tmpfs, for option files with passwords lie there. */
  readonly workRoot: string;
  readonly times: WorkerTimes;
  /** How long others may wait for a lock of a backup that gives way to them. */
  readonly lockPatienceMs: number;
};

export type OpenedService = { readonly name: string; readonly connection: ServiceConnection };

export type OpenedStorage = {
  readonly storage: Storage;
  /** Of the file endpoint: empty, or a folder path ending in `/`. */
  readonly prefix: string;
  /** How a person downloads an object to standard output. */
  readonly downloadCommand: (objectName: string) => string;
};

/** All in milliseconds. */
export type WorkerTimes = {
  readonly lease: number;
  readonly heartbeat: number;
  /** Backstop for lost wake-up calls. */
  readonly poll: number;
  readonly reap: number;
  readonly sweep: number;
  /** How long a stopping worker lets its jobs finish. */
  readonly grace: number;
  /** The pause after the first failure; each further one doubles it. */
  readonly retry: number;
  /** How long the marks of prefixes stand before they are renewed. */
  readonly mark: number;
  /** How long a database that is reached at a new server only watches; longer than marks take to be renewed. */
  readonly watch: number;
  /** How long a container that does not answer is asked for the backup of a lost worker. */
  readonly adopt: number;
  /** From one audit of a container to the next. */
  readonly audit: number;
};

/**
 * The times of a worker whose leases last that long. A lost job is seen within a lease and 10 seconds; a lease outlives
 * three heartbeats that fail.
 */
export function workerTimes(given: {
  readonly leaseMs: number;
  readonly graceMs: number;
  readonly auditIntervalMs: number;
}): WorkerTimes {
  return {
    lease: given.leaseMs,
    heartbeat: Math.round(given.leaseMs / 4.5),
    poll: 5_000,
    reap: Math.min(10_000, given.leaseMs),
    sweep: 600_000,
    grace: given.graceMs,
    retry: 30_000,
    mark: 20 * 60_000,
    watch: 60 * 60_000,
    adopt: 5 * 60_000,
    audit: given.auditIntervalMs,
  };
}
