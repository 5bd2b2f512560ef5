import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Not } from 'typeorm';
import type { Engine } from '../../src/engines/engine.js';
import { createMariadbEngine } from '../../src/engines/mariadb/mariadbEngine.js';
import { backupJob } from '../../src/backups/backupJob.js';
import { decideDeletion } from '../../src/backups/backupJobCommands.js';
import { BackupJobTable, type BackupJobRow } from '../../src/backups/backupJobView.js';
import { createSwiftDriver } from '../../src/storage/swift/swiftDriver.js';
import type { Worker } from '../../src/worker/worker.js';
import { startedByFaultyTools } from '../fixtures/faultyTools.js';
import { descendantsOf } from '../fixtures/processes/childProcesses.js';
import { startFaultProxy, type FaultProxy } from '../fixtures/servers/faultProxy.js';
import { startMariadb, type MariadbServer } from '../fixtures/servers/mariadb.js';
import { fingerprint } from '../fixtures/mariadbFingerprint.js';
import { startSwift, type SwiftServer } from '../fixtures/servers/swift.js';
import { startTcpProxy, type TcpProxy } from '../fixtures/servers/tcpProxy.js';
import { until } from '../fixtures/until.js';
import {
  startWorkerHarness,
  type TestWorkerOptions,
  type WorkerGround,
  type WorkerHarness,
} from '../fixtures/workerHarness.js';
import { digestOfDump, openSwiftHand, type ForeignHand, type SwiftHand } from './foreignHand.js';
import { startEngineGround, type EngineGround, type OtherEngine } from './engines/engineGround.js';
import { cleanEngineBackup, type CleanBackup } from './engines/engineTrial.js';
import { impatient } from './impatient.js';
import { disproveByRestoring, type Original } from './reckoning.js';

/** The approximate number of bytes that the server sends for the dump of `shop`. The dump itself is a little larger. */
export const dumpOnTheWireBytes = 5_500_000;
const sweepLimitMs = 120_000;
export const containerName = 'faults';

export type BenchWorkerOptions = TestWorkerOptions & {
  readonly engine?: Engine;
  /** A ground that reaches PostgreSQL through `postgresLine`. */
  readonly throughPostgresLine?: boolean;
  /** The folder of its temporary files. Default: that of the harness. */
  readonly workRoot?: string;
};

/** All real servers that a backup needs, with a proxy in front of each. */
export type FaultBench = {
  readonly harness: WorkerHarness;
  readonly source: MariadbServer;
  /** Empty, except for the restores of a trial. */
  readonly target: MariadbServer;
  readonly sourceLine: TcpProxy;
  readonly targetLine: TcpProxy;
  readonly postgresLine: TcpProxy;
  readonly storageLine: FaultProxy;
  readonly swift: SwiftServer;
  /** Access to the place of the backups, without Stowage. */
  readonly hand: ForeignHand;
  readonly swiftHand: SwiftHand;
  readonly folder: string;
  /** The services and the endpoint are reached through the proxies. */
  readonly serviceId: string;
  readonly targetServiceId: string;
  readonly fileEndpointId: string;
  /** The ground for a worker that reaches PostgreSQL through `postgresLine`. */
  readonly groundBehindLine: WorkerGround;
  readonly original: Original;
  /** The servers of another engine, with a backup without a fault. They are started by the first call. */
  engineGround(engine: OtherEngine): Promise<{ readonly ground: EngineGround; readonly clean: CleanBackup }>;
  /** A FILESYSTEM endpoint for the backups of other engines, and its path below the root. */
  readonly folderEndpointId: string;
  readonly folderPath: string;
  /** A backup without a fault. */
  readonly cleanBackupId: string;
  /** A random number from 0 to 1, determined by the seed. */
  readonly random: () => number;
  startWorker(options?: BenchWorkerOptions): Promise<Worker>;
  /** Removes every fault. */
  heal(): Promise<void>;
  /**
   * Runs a worker without jobs, which sweeps and audits until the container is clean. False: it is not clean within the
   * limit.
   */
  sweep(isClean: () => Promise<boolean>): Promise<boolean>;
  /** The running tools below this process, and remaining processes of faulty tools, by name. */
  toolsLeft(): readonly string[];
  /** Deletes every stored backup except for the clean one, as its owner would. */
  deleteBackups(): Promise<void>;
  stop(): Promise<void>;
};

/** Starts PostgreSQL, two MariaDBs and Swift, takes a first backup without a fault, and checks it with a restore by hand. */
export async function startFaultBench(random: () => number): Promise<FaultBench> {
  const folder = await mkdtemp(join(tmpdir(), 'stowage-faults-'));
  const [harness, source, target, swift] = await Promise.all([
    startWorkerHarness(),
    startMariadb(),
    startMariadb(),
    startSwift(),
  ]);
  await source.sql(sampleDatabase);
  const postgresUrl = new URL(harness.postgres.appUrl);
  const [sourceLine, targetLine, postgresLine, storageLine] = await Promise.all([
    startTcpProxy(source.port),
    startTcpProxy(target.port),
    startTcpProxy(Number(postgresUrl.port)),
    startFaultProxy(swift.url),
  ]);
  const proxied: SwiftServer = { ...swift, settings: (container) => swift.settings(container, storageLine.url) };
  const fileEndpointId = await harness.addSwift(proxied, containerName);
  const hand = await openSwiftHand(swift.url, containerName);
  const ready = {
    ...{ harness, source, target, sourceLine, targetLine, postgresLine, storageLine, swift, folder, random },
    ...{ hand, swiftHand: hand },
    serviceId: await harness.addService({ ...source, port: sourceLine.port }, { databases: ['shop'] }),
    targetServiceId: await harness.addService({ ...target, port: targetLine.port }),
    fileEndpointId,
    groundBehindLine: behind(harness.ground, postgresLine.port),
    folderPath: 'engines',
    folderEndpointId: await harness.addFolder({ path: 'engines' }),
  };
  await mkdir(join(folder, 'scratch'));

  async function startWorker(options: BenchWorkerOptions = {}): Promise<Worker> {
    const { engine = createMariadbEngine(), throughPostgresLine = false, workRoot, times, ...rest } = options;
    return harness.startWorker({
      engines: new Map([['MARIADB', engine]]),
      swift: createSwiftDriver(impatient),
      times: { lease: 20_000, ...times },
      ...(throughPostgresLine ? { ground: ready.groundBehindLine } : {}),
      ...(workRoot === undefined ? {} : { ground: { ...harness.ground, workRoot } }),
      ...rest,
    });
  }

  const original: Original = { dumpDigest: '', fingerprint: await fingerprint(source, ['shop']) };
  const worker = await startWorker();
  const cleanBackupId = await harness.queueBackup({ serviceId: ready.serviceId, fileEndpointId });
  await harness.until(cleanBackupId, 'BackupSucceeded', 180_000);
  await worker.stop();
  const cleanFolder = await folderOf(harness, cleanBackupId);
  const wrong = await disproveByRestoring(ready.hand, cleanFolder, original, { folder, server: target });
  if (wrong !== undefined) throw new Error(`Without any fault the backup is wrong: ${wrong}`);
  const file = join(folder, 'clean.zst');
  await ready.hand.download(`${cleanFolder}databases.sql.zst`, file);
  const { digest } = await digestOfDump(file);

  const grounds = new Map<OtherEngine, ReturnType<FaultBench['engineGround']>>();
  const bench: FaultBench = {
    ...ready,
    engineGround(engine) {
      const started = grounds.get(engine) ?? openEngineGround(bench, engine);
      grounds.set(engine, started);
      // The next fault tries again.
      started.catch(() => grounds.delete(engine));
      return started;
    },
    original: { ...original, dumpDigest: digest },
    cleanBackupId,
    startWorker,
    async heal() {
      storageLine.heal();
      await Promise.all([sourceLine.heal(), targetLine.heal(), postgresLine.heal()]);
    },
    async sweep(isClean) {
      if (await isClean()) return true;
      const sweeper = await startWorker({ engines: new Map(), times: { lease: 3_000, audit: 500 } });
      const swept = await until(isClean, 'all is swept', sweepLimitMs).then(
        () => true,
        () => false,
      );
      await sweeper.stop();
      return swept;
    },
    toolsLeft: () => {
      const own = descendantsOf(process.pid)
        .map(({ name }) => name)
        .filter((name) => !servers.includes(name));
      return [...own, ...startedByFaultyTools(folder)];
    },
    async deleteBackups() {
      const stored = await storedBackups(harness, cleanBackupId);
      for (const { id } of stored) {
        const job = { id, projectId: harness.projectId };
        const decision = { reason: 'BY_HAND', by: 'test', at: new Date() } as const;
        await harness.transact((tx) => decideDeletion(tx, job, decision));
      }
      const deleting = await startWorker();
      await until(
        async () => (await storedBackups(harness, cleanBackupId, 'DELETING')).length === 0,
        'all are deleted',
        120_000,
      );
      await deleting.stop();
    },
    async stop() {
      await harness.stop();
      for (const ground of grounds.values())
        await ground.then(
          ({ ground: opened }) => opened.stop(),
          () => undefined,
        );
      await Promise.all([source.stop(), target.stop(), swift.stop(), storageLine.stop()]);
      await Promise.all([sourceLine.stop(), targetLine.stop(), postgresLine.stop()]);
      await rm(folder, { recursive: true, force: true });
    },
  };
  return bench;
}

/** The servers that run below this process, and the first process of one that is being started. */
const servers: readonly string[] = ['postgres', 'mariadbd', 'mysqld', 'mongod', 'java'];

async function openEngineGround(bench: FaultBench, engine: OtherEngine) {
  const ground = await startEngineGround(engine, bench);
  try {
    return { ground, clean: await cleanEngineBackup(bench, ground) };
  } catch (error) {
    await ground.stop();
    throw error;
  }
}

/** The folder of a stored backup. */
export async function folderOf(harness: WorkerHarness, jobId: string): Promise<string> {
  const { state } = await harness.store.load(backupJob, jobId);
  if (state.status !== 'SUCCEEDED') throw new Error(`Backup ${jobId} is ${state.status}.`);
  return state.result.folder;
}

export async function storedBackups(
  harness: WorkerHarness,
  except: string,
  availability: 'STORED' | 'DELETING' = 'STORED',
): Promise<readonly BackupJobRow[]> {
  return harness.dataSource.manager.find(BackupJobTable, { where: { availability, id: Not(except) } });
}

function behind(ground: WorkerGround, port: number): WorkerGround {
  const through = (url: string) => {
    const other = new URL(url);
    other.port = String(port);
    return other.href;
  };
  return { ...ground, appUrl: through(ground.appUrl), ownerUrl: through(ground.ownerUrl) };
}

/**
 * Half of the data is noise, which does not compress, and half is words, with all kinds of objects. The dump has about
 * 6 MB.
 */
const sampleDatabase = `
CREATE DATABASE shop CHARACTER SET utf8mb4; USE shop;
CREATE TABLE shop.noise (id INT PRIMARY KEY, b BLOB NOT NULL);
INSERT INTO shop.noise SELECT seq, RANDOM_BYTES(1024) FROM seq_1_to_4000;
CREATE TABLE shop.words (id INT PRIMARY KEY, placed DATETIME NOT NULL, note VARCHAR(200) NOT NULL);
INSERT INTO shop.words SELECT seq, '2020-01-01' + INTERVAL seq MINUTE,
  CONCAT('Ladung ', SHA2(seq, 256), ' für Kai 🚢 ', seq % 17) FROM seq_1_to_15000;
CREATE TABLE shop.empty (id INT PRIMARY KEY);
CREATE VIEW shop.latest AS SELECT id, note FROM shop.words WHERE id > 14900;
DELIMITER //
CREATE PROCEDURE shop.count_words() BEGIN SELECT COUNT(*) FROM shop.words; END//
CREATE TRIGGER shop.no_blank BEFORE INSERT ON shop.words FOR EACH ROW BEGIN
  IF NEW.note = '' THEN SET NEW.note = '-'; END IF; END//
DELIMITER ;`;
