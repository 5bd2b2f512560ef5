import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { childrenNamed } from '../../../test/fixtures/processes/childProcesses.js';
import { startFaultProxy, type FaultProxy, type FaultRule } from '../../../test/fixtures/servers/faultProxy.js';
import { mariadbMissing, startMariadb, type MariadbServer } from '../../../test/fixtures/servers/mariadb.js';
import { holdLock } from '../../../test/fixtures/heldLock.js';
import { postgresMissing } from '../../../test/fixtures/servers/postgres.js';
import { describeWith } from '../../../test/fixtures/requirements.js';
import { startSwift, swiftMissing, type SwiftServer } from '../../../test/fixtures/servers/swift.js';
import { startTcpProxy, type TcpProxy } from '../../../test/fixtures/servers/tcpProxy.js';
import { eventually, startWorkerHarness, type WorkerHarness } from '../../../test/fixtures/workerHarness.js';
import { createMariadbEngine } from '../../engines/mariadb/mariadbEngine.js';
import type { RecordedEvent } from '../../eventSourcing/event.js';
import { backupActions } from '../../backups/api/backupActions.js';
import { cancelJob, type JobHandling } from '../../jobs/jobCommands.js';
import { backupHandling } from '../../backups/backupJobCommands.js';
import { BackupJobTable } from '../../backups/backupJobView.js';
import { restoreHandling } from '../../restores/restoreJobCommands.js';
import { restoreJobMessage } from '../../restores/restoreJobMessage.js';
import { RestoreJobTable } from '../../restores/restoreJobView.js';
import type { Worker } from '../worker.js';

const tools = ['mariadb-dump', 'mariadb', 'perl', 'zstd', 'setpriv', 'sh', 'sleep'];
/** Long enough for every phase that does not hang, on a busy machine. */
const stallTimeoutMs = 6_000;

describeWith(
  { postgresql: await postgresMissing(), mariadb: mariadbMissing, swift: swiftMissing },
  'A job that hangs',
  () => {
    let harness: WorkerHarness;
    let source: MariadbServer;
    let target: MariadbServer;
    let swift: SwiftServer;
    let sourceLine: TcpProxy;
    let targetLine: TcpProxy;
    let storageLine: FaultProxy;
    let serviceId: string;
    let targetServiceId: string;
    let fileEndpointId: string;
    let backup: string;
    const workers: Worker[] = [];
    const releases: (() => Promise<unknown>)[] = [];

    beforeAll(async () => {
      [harness, source, target, swift] = await Promise.all([
        startWorkerHarness(),
        startMariadb(),
        startMariadb(),
        startSwift(),
      ]);
      // More than the pipes between server and storage can hold.
      await source.sql(`CREATE DATABASE shop; USE shop; CREATE TABLE noise (id INT PRIMARY KEY, b BLOB);
        INSERT INTO noise SELECT seq, RANDOM_BYTES(1024) FROM seq_1_to_6000;`);
      [sourceLine, targetLine, storageLine] = await Promise.all([
        startTcpProxy(source.port),
        startTcpProxy(target.port),
        startFaultProxy(swift.url),
      ]);
      serviceId = await harness.addService({ ...source, port: sourceLine.port });
      targetServiceId = await harness.addService({ ...target, port: targetLine.port });
      const through = (container: string) => swift.settings(container, storageLine.url);
      fileEndpointId = await harness.addSwift({ ...swift, settings: through }, 'backups');
      await startWorker();
      backup = await harness.queueBackup({ serviceId, fileEndpointId });
      await harness.until(backup, 'BackupSucceeded');
      await stopWorkers();
    });

    beforeEach(() => target.sql('DROP DATABASE IF EXISTS shop'));
    afterEach(async () => {
      await heal();
      await stopWorkers();
      expect(childrenNamed(...tools)).toEqual([]);
    });
    afterAll(async () => {
      await harness.stop();
      await Promise.all([sourceLine.stop(), targetLine.stop(), storageLine.stop()]);
      await Promise.all([source.stop(), target.stop(), swift.stop()]);
    });

    async function heal(): Promise<void> {
      storageLine.heal();
      storageLine.reset();
      await Promise.all([sourceLine.heal(), targetLine.heal()]);
      sourceLine.reset();
      targetLine.reset();
      await Promise.all(releases.splice(0).map((release) => release()));
    }
    async function startWorker(options?: Parameters<WorkerHarness['startWorker']>[0]): Promise<void> {
      workers.push(await harness.startWorker(options));
    }
    const stopWorkers = () => Promise.all(workers.splice(0).map((worker) => worker.stop()));
    const rowOf = (id: string) => harness.dataSource.manager.findOneByOrFail(BackupJobTable, { id });
    const restoreOf = (id: string) => harness.dataSource.manager.findOneByOrFail(RestoreJobTable, { id });
    const job = (id: string) => ({ id, projectId: harness.projectId });

    /** `releases` are the sessions that hold a lock for the test. */
    function expectNothingRuns(): void {
      expect(childrenNamed(...tools)).toHaveLength(releases.length);
    }

    /** Requests the cancellation as the API does. */
    async function cancel(id: string, kind: Hang['kind']): Promise<void> {
      const by = 'a person';
      const handling: JobHandling = kind === 'BACKUP' ? backupHandling : restoreHandling;
      await harness.transact((tx) => cancelJob(tx, harness.queue, handling, job(id), by, new Date()));
      await harness.signals.send('cancel', id);
    }

    /** Injects a fault into requests to the storage. The result reports whether a request has met it. */
    function storage(rule: FaultRule): () => boolean {
      const injected = storageLine.inject(rule);
      return () => injected.hits > 0;
    }
    const silent = (method: string, path: RegExp, after = 0) =>
      storage({ method, path, after, times: 99, fault: { kind: 'stall' } });

    /** The lock is held until `heal`. */
    async function lock(server: MariadbServer, statement: string): Promise<void> {
      releases.push(await holdLock(server, statement));
    }

    type Hang = {
      readonly where: string;
      readonly kind: 'BACKUP' | 'RESTORE';
      readonly phase: string;
      /**
       * Prepares the hang. The result reports whether the job has reached it. Without a result, the job has reached it
       * as soon as it has entered the phase.
       */
      readonly prepare: () => (() => boolean) | Promise<(() => boolean) | undefined> | undefined;
      /**
       * The target itself no longer answers. The restore reports the outcome there only after the target answers again.
       */
      readonly targetIsGone?: true;
    };
    const hangs: readonly Hang[] = [
      {
        where: 'at the mark of the installation',
        kind: 'BACKUP',
        phase: 'PREFLIGHT',
        prepare: () => silent('HEAD', /stowage\.json/),
      },
      {
        where: 'at a server that accepts the connection and never answers',
        kind: 'BACKUP',
        phase: 'PREFLIGHT',
        prepare: () => {
          sourceLine.freeze();
          return undefined;
        },
      },
      {
        where: 'at a table that another session has locked',
        kind: 'BACKUP',
        phase: 'PREFLIGHT',
        prepare: async () => {
          await lock(source, 'USE shop; LOCK TABLES noise WRITE');
          return undefined;
        },
      },
      {
        where: 'at a server that stops answering in the middle of the dump',
        kind: 'BACKUP',
        phase: 'DUMPING',
        prepare: () => {
          const watch = sourceLine.atByte(3_000_000, () => sourceLine.freeze());
          return () => watch.reached;
        },
      },
      {
        where: 'at the object',
        kind: 'BACKUP',
        phase: 'FINALISING',
        prepare: () => silent('PUT', /databases\.sql\.zst/),
      },
      {
        where: 'at a container that no longer answers',
        kind: 'BACKUP',
        phase: 'FINALISING',
        prepare: () => {
          const isReached = silent('PUT', /databases\.sql\.zst/);
          for (const method of ['DELETE', 'HEAD']) silent(method, /databases/);
          return isReached;
        },
      },
      {
        where: 'at the second inventory',
        kind: 'BACKUP',
        phase: 'VERIFYING',
        prepare: () =>
          storage({
            method: 'HEAD',
            path: /databases\.sql\.zst/,
            fault: { kind: 'call', when: 'BEFORE', act: () => sourceLine.freeze() },
          }),
      },
      {
        where: 'at reading backup.json back',
        kind: 'BACKUP',
        phase: 'VERIFYING',
        prepare: () => silent('GET', /backup\.json/),
      },
      {
        where: 'at backup.json',
        kind: 'RESTORE',
        phase: 'PREFLIGHT',
        prepare: () => silent('GET', /backup\.json/),
      },
      {
        where: 'at a target that accepts the connection and never answers',
        kind: 'RESTORE',
        phase: 'PREFLIGHT',
        prepare: () => {
          targetLine.freeze();
          return undefined;
        },
      },
      {
        where: 'in the middle of the first reading',
        kind: 'RESTORE',
        phase: 'FETCHING',
        prepare: () =>
          storage({
            method: 'GET',
            path: /sql\.zst/,
            times: 99,
            fault: { kind: 'stallAnswer', afterBytes: 1_000_000 },
          }),
      },
      {
        where: 'at a target that another session has locked',
        kind: 'RESTORE',
        phase: 'RESTORING',
        prepare: () =>
          storage({
            ...{ method: 'GET', path: /sql\.zst/, after: 1 },
            fault: { kind: 'call', when: 'BEFORE', act: () => lock(target, 'FLUSH TABLES WITH READ LOCK') },
          }),
      },
      {
        where: 'at a target that stops answering before it is compared',
        kind: 'RESTORE',
        phase: 'CHECKING',
        targetIsGone: true,
        prepare: () => {
          // The connections before it: two preflights, the address, the tool, its lock watch.
          const watch = targetLine.afterConnections(6, () => targetLine.freeze());
          return () => watch.reached;
        },
      },
    ];

    const queue = (kind: Hang['kind'], limitMs: number) =>
      kind === 'BACKUP'
        ? harness.queueBackup({ serviceId, fileEndpointId, maxAttempts: 1, stallTimeoutMs: limitMs })
        : harness.queueRestore(backup, targetServiceId, 1, limitMs);

    async function phaseOf(id: string): Promise<string> {
      const entered = (await harness.eventsOf(id)).filter(({ type }) => type.endsWith('PhaseEntered'));
      return (entered.at(-1)?.data as { phase: string } | undefined)?.phase ?? 'none';
    }

    /** Waits until no session of ours runs there and other jobs may begin. */
    async function untilTargetIsFree(id: string): Promise<void> {
      await eventually('the target is free', async () => ((await restoreOf(id)).targetLocked ? undefined : true));
      const ours = "SELECT COUNT(*) FROM information_schema.processlist WHERE user = 'stowage'";
      await eventually('no session of ours is left', async () =>
        (await target.sql(ours)) === '0\n' ? true : undefined,
      );
    }

    // Each of these tests takes the stall timeout, and the last one much longer. The tests of `takeBackup` cover the
    // stalls of a dump.
    const silentPlaces = hangs.filter(
      ({ where, targetIsGone }) =>
        !/no longer answers|middle|the object$|another session has locked|second inventory/.test(where) &&
        !targetIsGone,
    );
    test.each(silentPlaces)('$where fails as STALLED ($kind, $phase)', async (hang) => {
      const { kind, phase } = hang;
      await hang.prepare();
      await startWorker();
      const id = await queue(kind, stallTimeoutMs);
      await harness.until(id, kind === 'BACKUP' ? 'BackupFailed' : 'RestoreFailed');
      expect(await phaseOf(id)).toBe(phase);
      const { error } = kind === 'BACKUP' ? await rowOf(id) : await restoreOf(id);
      expect(error).toMatchObject({ code: 'STALLED', message: 'No byte moved for 6 s.' });
      expectNothingRuns();
    });

    test('at the container is TIMEOUT after its time limit', async () => {
      silent('HEAD', /stowage\.json/);
      await startWorker();
      const id = await harness.queueBackup({ serviceId, fileEndpointId, stallTimeoutMs: 60_000, timeoutMs: 1_000 });
      await harness.until(id, 'BackupFailed');
      expect((await rowOf(id)).error).toMatchObject({
        code: 'TIMEOUT',
        message: 'The backup took longer than PT1S, the timeout of its plan.',
      });
    });

    test('ends at the maximum of the operator, which the attempt records and the error names', async () => {
      silent('HEAD', /stowage\.json/);
      await startWorker({ maxTimeoutMs: 1_000 });
      const id = await harness.queueBackup({
        serviceId,
        fileEndpointId,
        stallTimeoutMs: 60_000,
        timeoutMs: 3_600_000,
      });
      await harness.until(id, 'BackupFailed');
      const { error, attempts } = await rowOf(id);
      expect(error).toMatchObject({ code: 'TIMEOUT', message: expect.stringMatching('PT1S.*STOWAGE_MAX_TIMEOUT') });
      expect(attempts).toMatchObject([{ timeout: { ms: 1_000, source: 'MAXIMUM' } }]);
    });

    test.each(hangs)('$where is cancelled after its processes have ended ($kind, $phase)', async (hang) => {
      const { kind, phase } = hang;
      const isReached = await hang.prepare();
      await startWorker();
      const id = await queue(kind, 120_000);
      await eventually('the job has come there', async () =>
        (isReached?.() ?? true) && (await phaseOf(id)) === phase ? true : undefined,
      );
      const requestedAtMs = performance.now();
      await cancel(id, kind);
      await cancel(id, kind).catch(() => undefined);
      const events = await harness.until(id, kind === 'BACKUP' ? 'BackupCancelled' : 'RestoreCancelled');
      const tookMs = performance.now() - requestedAtMs;
      expectNothingRuns();
      expect(tookMs).toBeLessThan(60_000);
      expect(endsIn(events)).toHaveLength(1);
      expect(events.filter(({ type }) => type.endsWith('CancelRequested'))).toHaveLength(1);
      if (kind === 'BACKUP') {
        expect(backupActions(await rowOf(id), 'ADMIN')).toEqual(['RETRY']);
        await heal();
        await stopWorkers();
        return;
      }
      const row = await restoreOf(id);
      const touched = phase === 'RESTORING' || phase === 'CHECKING';
      expect(row.warnings.join()).toMatch(touched ? /a part of the data, in the database 'shop'.*Drop it/ : /^$/);
      expect(restoreJobMessage(row)).toMatch(touched ? /may hold a part/ : /before anything reached the target/);
      if (hang.targetIsGone === true) expect(row.targetLocked).toBe(true);
      await heal();
      await untilTargetIsFree(id);
    });

    test('around a tool that ignores SIGTERM is cancelled too', async () => {
      const folder = await mkdtemp(join(tmpdir(), 'stowage-stubborn-'));
      const program = join(folder, 'mariadb-dump');
      const version = 'case "$1" in --version) echo "mariadb-dump Ver 10.19 Distrib 10.11.0-MariaDB"; exit;; esac';
      await writeFile(
        program,
        `#!/bin/sh\n${version}\ntrap "" TERM; echo "some bytes"; sleep 600 & sleep 600; sleep 600\n`,
      );
      await chmod(program, 0o755);
      const engine = createMariadbEngine({ tools: { folders: [folder] } });
      await startWorker({ engines: new Map([[engine.name, engine]]) });
      const id = await queue('BACKUP', 120_000);
      await eventually('the tool runs', () => (childrenNamed('mariadb-dump').length > 0 ? true : undefined));
      await cancel(id, 'BACKUP');
      const events = await harness.until(id, 'BackupCancelled');
      expect(childrenNamed(...tools)).toEqual([]);
      expect(endsIn(events)).toHaveLength(1);
      await rm(folder, { recursive: true });
    });

    test('has exactly one end if a cancellation races with success, and the status matches it', async () => {
      await startWorker();
      for (const delayMs of [0, 8, 25]) {
        let askedFor: Promise<unknown> = Promise.resolve();
        let id = '';
        storage({
          ...{ method: 'GET', path: /backup\.json/ },
          fault: {
            kind: 'call',
            when: 'AFTER',
            act: () => {
              askedFor = new Promise((resolve) => setTimeout(resolve, delayMs)).then(() =>
                cancel(id, 'BACKUP').catch((error: unknown) => error),
              );
            },
          },
        });
        id = await queue('BACKUP', 120_000);
        const events = await eventually('the end', async () => {
          const all = await harness.eventsOf(id);
          return endsIn(all).length > 0 ? all : undefined;
        });
        const refused = await askedFor;
        expect(await harness.eventsOf(id)).toHaveLength(events.length);
        expect(endsIn(events)).toHaveLength(1);
        const row = await rowOf(id);
        expect(endsIn(events)).toEqual([row.status === 'SUCCEEDED' ? 'BackupSucceeded' : 'BackupCancelled']);
        expect(backupActions(row, 'ADMIN')).toContain(row.status === 'SUCCEEDED' ? 'RESTORE' : 'RETRY');
        if (refused !== undefined) expect(refused).toMatchObject({ code: 'CONFLICT' });
        storageLine.heal();
      }
    });
  },
);

/** The events that end the job. Exactly one is correct; two are always wrong. */
function endsIn(events: readonly RecordedEvent[]): readonly string[] {
  return events.map(({ type }) => type).filter((type) => /^(Backup|Restore)(Succeeded|Failed|Cancelled)$/.test(type));
}
