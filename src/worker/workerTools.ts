import type { Logger } from 'pino';
import type { DataSource } from 'typeorm';
import type { Engines } from '../engines/engines.js';
import type { ServiceConnection } from '../engines/serviceConnection.js';
import type { EventMetadata } from '../eventSourcing/event.js';
import type { EventStore } from '../eventSourcing/eventStore.js';
import { systemMetadata } from '../eventSourcing/systemMetadata.js';
import type { JobQueue } from '../postgres/contracts/jobQueue.js';
import type { PrefixMarks } from '../postgres/contracts/prefixMarks.js';
import type { Signals, Telemetry } from '../postgres/contracts/telemetry.js';
import type { WorkerRegistry } from '../postgres/contracts/workerRegistry.js';
import type { Storage } from '../storage/storage.js';

/** The dependencies of every part of a worker. */
export type WorkerTools = {
  /** Unique among all workers that ever ran: a restarted process is a new worker. */
  readonly workerId: string;
  readonly installationId: string;
  readonly store: EventStore;
  /** Used for reading views. Writes go through the store's transactions. */
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
  /** The time of the PostgreSQL server, so that the events of all workers follow one clock. */
  readonly now: () => Date;
  /** Uses the clock of this machine, which may be wrong. */
  readonly machineNow: () => Date;
  /** A random number from 0 to 1, for jitter. */
  readonly random: () => number;
  /**
   * Each run gets a folder of its own here, mode 0700. It is best on tmpfs, because option files with passwords lie
   * there.
   */
  readonly workRoot: string;
  readonly times: WorkerTimes;
  /** How long other sessions may wait for a lock of a backup before the backup ends, if its plan yields to locks. */
  readonly lockPatienceMs: number;
  /** The part of the slots that one project may hold while another waits. Null: all slots but one. */
  readonly projectShare: number | null;
  /** No attempt of a backup takes longer, whatever its plan allows. Null: no maximum. */
  readonly maxTimeoutMs: number | null;
};

/**
 * The metadata of events that a worker appends. By default all events of one transaction have the same correlation id.
 */
export function metadataOf({ workerId }: Pick<WorkerTools, 'workerId'>, correlationId?: string): EventMetadata {
  return systemMetadata('worker', `worker:${workerId}`, correlationId);
}

export type OpenedService = { readonly name: string; readonly connection: ServiceConnection };

export type OpenedStorage = {
  readonly storage: Storage;
  /** The prefix of the file endpoint: empty, or a folder path ending in `/`. */
  readonly prefix: string;
  /** The command with which a person downloads an object to standard output. */
  readonly downloadCommand: (objectName: string) => string;
};

/** All times are in milliseconds. */
export type WorkerTimes = {
  readonly lease: number;
  readonly heartbeat: number;
  /** The interval of polling for jobs, in case a signal was lost. */
  readonly poll: number;
  readonly reap: number;
  readonly sweep: number;
  /** How long a stopping worker lets its jobs finish. */
  readonly grace: number;
  /** The pause after the first failure. Each further failure doubles it. */
  readonly retry: number;
  /** The age at which the marks of prefixes are renewed. */
  readonly mark: number;
  /**
   * How long the installation only checks the marks after its database was found at another server. It is longer than
   * the renewal of marks takes.
   */
  readonly watch: number;
  /** How long the backup of a lost worker is searched for in a container that does not answer. */
  readonly adopt: number;
  /** The time between two audits of a container. */
  readonly audit: number;
};

/**
 * The times that follow from the length of the leases. A lost job is found within a lease and 10 seconds. A lease
 * survives three failed heartbeats.
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
