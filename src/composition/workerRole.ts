import { randomUUID } from 'node:crypto';
import { accessSync, constants } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import type { WorkerConfig } from '../config.js';
import { openFileEndpoint } from '../endpoints/openFileEndpoint.js';
import type { Log } from '../log.js';
import { programVersion } from '../programVersion.js';
import { openService } from '../services/serviceConnection.js';
import { createWorker } from '../worker/worker.js';
import { workerTimes } from '../worker/workerTools.js';
import type { Closing } from './closing.js';
import { jobKinds } from './jobKinds.js';
import type { Shared } from './shared.js';

export type WorkerRoleConfig = Pick<
  WorkerConfig,
  'concurrency' | 'leaseMs' | 'graceMs' | 'auditIntervalMs' | 'lockPatienceMs' | 'projectShare' | 'maxTimeoutMs'
>;

/** Runs a worker until `closing` closes it. */
export async function startWorkerRole(
  shared: Shared,
  config: WorkerRoleConfig,
  log: Log,
  closing: Closing,
): Promise<void> {
  const { dataSource, vault, storages } = shared;
  const workerId = `${hostname()}-${process.pid}-${randomUUID().slice(0, 8)}`;
  const worker = createWorker(
    {
      ...shared,
      workerId,
      log: log.child({ worker: workerId }),
      random: Math.random,
      workRoot: workRoot(),
      times: workerTimes(config),
      lockPatienceMs: config.lockPatienceMs,
      projectShare: config.projectShare,
      maxTimeoutMs: config.maxTimeoutMs,
      serviceOf: (id) => openService({ dataSource, vault }, id),
      storageOf: (id) => openFileEndpoint({ dataSource, vault, storages }, id),
    },
    jobKinds,
    { host: hostname(), pid: process.pid, programVersion: programVersion(), concurrency: config.concurrency },
  );
  closing.add('worker', () => worker.stop());
  await worker.start();
  log.info(`Worker ${workerId} runs up to ${config.concurrency} jobs at once.`);
}

/** A tmpfs if there is one, because option files contain passwords. Otherwise the system's folder for temporary files. */
function workRoot(): string {
  try {
    accessSync('/dev/shm', constants.W_OK);
    return '/dev/shm';
  } catch {
    return tmpdir();
  }
}
