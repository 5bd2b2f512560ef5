/**
 * A worker in a separate process, composed like `stowage worker`. It notifies its parent over an IPC channel when each dump
 * tool was started. With the argument `nothing` its engine dumps nothing, and its storage keeps only small objects in memory.
 * Events, leases and phases are real. The settings are JSON.
 */
import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { Closing } from '../../src/composition/closing.js';
import { jobKinds } from '../../src/composition/jobKinds.js';
import { openShared } from '../../src/composition/shared.js';
import type { ScheduleStore } from '../../src/settingChecks.js';
import { openFileEndpoint } from '../../src/endpoints/openFileEndpoint.js';
import type { Engine } from '../../src/engines/engine.js';
import type { Inventory } from '../../src/engines/inventory.js';
import { openLog } from '../../src/log.js';
import { Secret } from '../../src/secret.js';
import { openService } from '../../src/services/serviceConnection.js';
import { parseAllowedTargets } from '../../src/storage/allowedTargets.js';
import type { Storage } from '../../src/storage/storage.js';
import { createWorker } from '../../src/worker/worker.js';
import { workerTimes } from '../../src/worker/workerTools.js';
import type { BenchWorkerSettings } from './benchWorkerProcess.js';

const [, , mode = '', json = ''] = process.argv;
const settings = JSON.parse(json) as BenchWorkerSettings;
const log = openLog('json', 'error');
const closing = new Closing(log);
const scheduleStore: ScheduleStore =
  settings.mongoUrl === null ? { kind: 'postgres' } : { kind: 'mongodb', url: new Secret(settings.mongoUrl) };
const shared = await openShared(
  {
    role: 'worker',
    databaseUrl: new Secret(settings.appUrl),
    migrationDatabaseUrl: new Secret(settings.ownerUrl),
    scheduleStore,
    masterKeys: [new Secret(settings.masterKey)],
    allowedTargets: parseAllowedTargets('default,loopback'),
    filesystemRoot: settings.root,
  },
  log,
  closing,
);
const { dataSource, vault, storages } = shared;
const doesNothing = mode === 'nothing';
const engines = doesNothing
  ? new Map([['MARIADB', nothingEngine(shared.engines.get('MARIADB'))]])
  : new Map([...shared.engines].map(([name, engine]) => [name, telling(engine)]));
const worker = createWorker(
  {
    ...shared,
    engines,
    workerId: `bench-${randomUUID().slice(0, 8)}`,
    log,
    random: Math.random,
    workRoot: settings.root,
    times: workerTimes({ leaseMs: 45_000, graceMs: 5_000, auditIntervalMs: 86_400_000 }),
    lockPatienceMs: 30_000,
    projectShare: null,
    maxTimeoutMs: null,
    serviceOf: (id) => openService({ dataSource, vault }, id),
    storageOf: doesNothing
      ? () => Promise.resolve({ storage: nothingStorage(), prefix: '', downloadCommand: (name) => name })
      : (id) => openFileEndpoint({ dataSource, vault, storages }, id),
  },
  jobKinds,
  { host: hostname(), pid: process.pid, programVersion: 'bench', concurrency: settings.concurrency },
);
closing.add('worker', () => worker.stop());
await worker.start();
process.on('SIGTERM', () => void closing.close().then(() => process.exit(0)));
process.on('disconnect', () => process.exit(0));
process.send?.({ ready: true });

/** The real engine: when `dump` returns, its tool runs. */
function telling(engine: Engine): Engine {
  return {
    ...engine,
    prepareDump: async (...args) => {
      const prepared = await engine.prepareDump(...args);
      return {
        ...prepared,
        dump: async (...dumpArgs) => {
          const running = await prepared.dump(...dumpArgs);
          process.send?.({ startedAtMs: Date.now() });
          return running;
        },
      };
    },
  };
}

function nothingEngine(real: Engine | undefined): Engine {
  if (real === undefined) throw new Error('There is no engine to replace.');
  const inventory: Inventory = { serverVersion: '0', toolVersion: '0', sizeBytes: null, databases: [] };
  return {
    ...real,
    tools: () => Promise.resolve({ nothing: ['0'] }),
    inventory: () => Promise.resolve(inventory),
    prepareDump: () =>
      Promise.resolve({
        report: { inventory, parts: [{ name: 'databases', extension: 'sql' }], warnings: [] },
        dump: () => {
          process.send?.({ startedAtMs: Date.now() });
          const sizes = { sizeBytes: 0, storedSizeBytes: 0, tables: [] };
          const end = { exitCode: 0, signal: null, lastLines: '', ...sizes, failure: null };
          return Promise.resolve({ stored: Readable.from([]), readBytes: () => 0, ended: Promise.resolve(end) });
        },
        close: () => Promise.resolve(),
      }),
  };
}

function nothingStorage(): Storage {
  const kept = new Map<string, Uint8Array>();
  const etag = 'nothing';
  return {
    listsSegments: false,
    needsMarker: false,
    async put(_name, source) {
      await buffer(source);
      return { sizeBytes: 0, sha256: '', etag, segments: [] };
    },
    putBytes(name, bytes) {
      kept.set(name, bytes);
      return Promise.resolve({ etag });
    },
    verify: () => Promise.resolve(),
    get: (name) => Readable.from([kept.get(name) ?? new Uint8Array()]),
    head: () => Promise.resolve(undefined),
    list: () => Readable.from([]),
    delete: () => Promise.resolve(),
    unfinishedUploads: () => Readable.from([]),
    abortUpload: () => Promise.resolve(),
    close: () => Promise.resolve(),
  };
}
