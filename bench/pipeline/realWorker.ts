import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { setTimeout as wait } from 'node:timers/promises';
import { backupJob } from '../../src/backups/backupJob.js';
import { queueBackup } from '../../src/backups/backupJobCommands.js';
import { startPostgres } from '../../test/fixtures/servers/postgres.js';
import type { MariadbServer } from '../../test/fixtures/servers/mariadb.js';
import type { SwiftServer } from '../../test/fixtures/servers/swift.js';
import { startRealApi } from '../realApi.js';
import { processUse, type ProcessorSeconds } from './processUse.js';

export type WorkerRun = {
  readonly seconds: number;
  readonly sizeBytes: number;
  readonly storedSizeBytes: number;
  /** Processor seconds of the worker with its tools, and of the worker alone. */
  readonly processor: ProcessorSeconds | undefined;
  readonly idleMb: number | undefined;
  readonly peakMb: number | undefined;
};

export type RealWorker = {
  /** The time from the queued job to the event of its success. */
  backUp(): Promise<WorkerRun>;
  stop(): Promise<void>;
};

const program = fileURLToPath(new URL('../../dist/src/main.js', import.meta.url));

/** Runs `stowage worker` from dist/ as a separate process, with an API in this process and a PostgreSQL. */
export async function startRealWorker(
  mariadb: MariadbServer,
  swift: SwiftServer,
  container: string,
): Promise<RealWorker> {
  const postgres = await startPostgres();
  const api = await startRealApi(postgres);
  const { id: projectId } = (
    await api.call<{ createProject: { id: string } }>('mutation { createProject(name: "Bench") { id } }')
  ).createProject;
  const { id: serviceId } = (
    await api.call<{ registerService: { id: string } }>(
      'mutation ($input: ServiceInput!) { registerService(input: $input) { id } }',
      {
        input: {
          projectId,
          instanceId: 'bench',
          name: 'bench',
          engine: 'MARIADB',
          host: '127.0.0.1',
          port: mariadb.port,
          username: mariadb.username,
          password: mariadb.password,
        },
      },
    )
  ).registerService;
  const { id: fileEndpointId } = (
    await api.call<{ createFileEndpoint: { id: string } }>(
      'mutation ($input: FileEndpointInput!) { createFileEndpoint(input: $input) { id } }',
      {
        input: {
          projectId,
          name: 'bench',
          settings: {
            swift: {
              authUrl: `${swift.url}/auth/v1.0`,
              container,
              createContainer: true,
              credentials: { v1: { user: 'test:tester', key: 'testing' } },
            },
          },
        },
      },
    )
  ).createFileEndpoint;

  const worker = spawn(process.execPath, [program, 'worker'], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: {
      PATH: process.env['PATH'],
      DATABASE_URL: postgres.appUrl,
      MIGRATION_DATABASE_URL: postgres.ownerUrl,
      SCHEDULE_STORE_URL: 'postgres',
      STOWAGE_MASTER_KEY: api.masterKey,
      STOWAGE_ALLOWED_TARGETS: '0.0.0.0/0',
      STOWAGE_LOG_LEVEL: 'info',
    },
  });
  const pid = worker.pid ?? 0;
  await untilItSays(worker.stdout, 'jobs at once');
  return {
    async backUp() {
      const { store, queue } = api.shared;
      const before = processUse(pid);
      const begin = performance.now();
      const job = { id: randomUUID(), projectId };
      await store.transact({ actor: 'bench', correlationId: job.id }, (tx) =>
        queueBackup(tx, queue, job, {
          serviceId,
          engine: 'MARIADB',
          planId: null,
          fileEndpointId,
          trigger: 'MANUAL',
          batchId: randomUUID(),
          requestedBy: 'bench',
          retryOf: null,
          scheduledFor: null,
          queuedAt: new Date().toISOString(),
          maxAttempts: 1,
          timeoutMs: null,
          stallTimeoutMs: 120_000,
        }),
      );
      for (;;) {
        const { state } = await store.load(backupJob, job.id);
        if (state.status === 'SUCCEEDED') {
          const seconds = (performance.now() - begin) / 1000;
          const { sizeBytes, storedSizeBytes } = state.result;
          const after = processUse(pid);
          return {
            seconds,
            sizeBytes,
            storedSizeBytes,
            processor:
              before === undefined || after === undefined ? undefined : less(after.processor, before.processor),
            idleMb: before?.residentMb,
            peakMb: after?.peakMb,
          };
        }
        if (state.status === 'FAILED') throw new Error(`The worker's backup failed: ${state.error.message}`);
        if (worker.exitCode !== null) throw new Error(`The worker ended with ${worker.exitCode}.`);
        await wait(100);
      }
    },
    async stop() {
      if (worker.exitCode === null) {
        const gone = once(worker, 'exit');
        worker.kill('SIGTERM');
        await gone;
      }
      await api.stop();
      await postgres.stop();
    },
  };
}

function less(later: ProcessorSeconds, earlier: ProcessorSeconds): ProcessorSeconds {
  return { own: later.own - earlier.own, all: later.all - earlier.all };
}

/** Reads to the end, because a full pipe would block the worker. */
async function untilItSays(output: Readable, words: string): Promise<void> {
  const lines = createInterface({ input: output });
  await new Promise<void>((resolve, reject) => {
    lines.on('line', (line) => {
      if (line.includes(words)) resolve();
    });
    lines.once('close', () => reject(new Error(`The worker ended before it logged '${words}'.`)));
  });
}
