/** The built program with STOWAGE_TOOL_UIDS: a worker that is not root, with the capabilities that systemd or the image gives it. */
import { afterAll, afterEach, beforeAll, expect, jest, test } from '@jest/globals';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readlinkSync } from 'node:fs';
import { chmod, chown, cp, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { buildProgram, type BuiltProgram } from '../fixtures/processes/builtProgram.js';
import { asService, otherUidsMissing, processesUnder, serviceUid } from '../fixtures/processes/otherUids.js';
import { startWorker, type StowageProcess } from '../fixtures/processes/stowageProcess.js';
import { describeWith } from '../fixtures/requirements.js';
import { makeCertificates } from '../fixtures/servers/certificates.js';
import { fingerprint } from '../fixtures/mariadbFingerprint.js';
import { mariadbMissing, startMariadb, type MariadbServer } from '../fixtures/servers/mariadb.js';
import { postgresMissing } from '../fixtures/servers/postgres.js';
import { until } from '../fixtures/until.js';
import { startWorkerHarness, type WorkerHarness } from '../fixtures/workerHarness.js';

/** Several runs of the tests may share a machine. */
const first = 60_720 + 32 * (process.pid % 12);
const range = { first, last: first + 31 };
const uids = { STOWAGE_TOOL_UIDS: `${range.first}-${range.last}` };

jest.setTimeout(240_000);

describeWith(
  { root: otherUidsMissing, mariadb: mariadbMissing, postgresql: await postgresMissing() },
  'A worker with uids for its tools',
  () => {
    const endings: (() => Promise<unknown>)[] = [];
    let folder: string;
    let program: BuiltProgram;
    let harness: WorkerHarness;
    let source: MariadbServer;
    let target: MariadbServer;
    let tls: { readonly mode: 'VERIFY'; readonly ca: string };
    let worker: StowageProcess | undefined;
    let settings: Readonly<Record<string, string>>;

    const ending = <T>(opened: T, end: (opened: T) => Promise<unknown>): T => {
      endings.push(() => end(opened));
      return opened;
    };
    beforeAll(async () => {
      folder = ending(await mkdtemp(join(tmpdir(), 'stowage-tool-uids-')), (path) => rm(path, { recursive: true }));
      await chmod(folder, 0o755);
      const certificates = await makeCertificates(folder, 'localhost');
      const options = [`--ssl-cert=${certificates.certificateFile}`, `--ssl-key=${certificates.keyFile}`];
      tls = { mode: 'VERIFY', ca: certificates.ca };
      program = ending(await buildProgram(), (built) => built.remove());
      // Another user may enter the folder of the program, as in every usual installation.
      await chmod(dirname(dirname(dirname(program.main))), 0o755);
      source = ending(await startMariadb(options), (server) => server.stop());
      target = ending(await startMariadb(options), (server) => server.stop());
      harness = ending(await startWorkerHarness(), (each) => each.stop());
      await source.sql(`CREATE DATABASE bulk; USE bulk; CREATE TABLE noise (id INT PRIMARY KEY, b BLOB);
        INSERT INTO noise SELECT seq, RANDOM_BYTES(1024) FROM seq_1_to_36000;`);
    });
    afterEach(async () => {
      await worker?.kill();
      worker = undefined;
    });
    afterAll(async () => {
      for (const end of endings.reverse()) await end();
      expect(processesUnder(range)).toEqual([]);
    });

    /** Files of the service, which nobody else can read. */
    async function prepareSettings(): Promise<void> {
      const { root, appUrl, ownerUrl, masterKey } = harness.ground;
      const keyFile = join(folder, 'master.key');
      await writeFile(keyFile, `${masterKey}\n`, { mode: 0o600 });
      await chmod(dirname(root), 0o711);
      await chmod(root, 0o700);
      for (const path of [keyFile, root]) await chown(path, serviceUid, serviceUid);
      settings = {
        ...uids,
        DATABASE_URL: appUrl,
        MIGRATION_DATABASE_URL: ownerUrl,
        SCHEDULE_STORE_URL: 'postgres',
        STOWAGE_MASTER_KEY_FILE: keyFile,
        STOWAGE_FILESYSTEM_ROOT: root,
        STOWAGE_ALLOWED_TARGETS: 'default,loopback',
        STOWAGE_WORKER_LEASE: 'PT5S',
      };
    }
    const service = (server: MariadbServer) => harness.addService(server, { host: 'localhost', tls });

    test('backs up and restores a server whose certificate and name it verifies', async () => {
      const ids = [await service(source), await service(target), await harness.addFolder()] as const;
      const [serviceId, targetId, fileEndpointId] = ids;
      await prepareSettings();
      await chownAll(harness.ground.root);
      worker = await startWorker(program.main, settings, asService());
      expect(worker.output()).toContain(`Each tool runs under a uid of its own, from ${range.first} to ${range.last}.`);
      expect(worker.output()).not.toMatch(/Tools can read/);
      const backupId = await harness.queueBackup({ serviceId, fileEndpointId });
      await harness.until(backupId, 'BackupSucceeded');
      const restoreId = await harness.queueRestore(backupId, targetId);
      await harness.until(restoreId, 'RestoreSucceeded');
      expect(await fingerprint(target, ['bulk'])).toEqual(await fingerprint(source, ['bulk']));
      expect(await worker.terminate()).toBe(0);
      expect(processesUnder(range)).toEqual([]);
    });

    test('gives each tool of a job another uid, and leaves none of them when it is killed', async () => {
      const [serviceId, fileEndpointId] = [await service(source), await harness.addFolder({ path: 'second' })];
      await chownAll(harness.ground.root);
      worker = await startWorker(program.main, settings, asService());
      await harness.queueBackup({ serviceId, fileEndpointId });
      const tools = ['mariadb-dump', 'perl', 'zstd', 'node'];
      await until(() => {
        const running = processesUnder(range);
        const dump = running.find(({ name }) => name === 'mariadb-dump');
        // It waits there until the worker is killed.
        if (dump !== undefined) process.kill(dump.pid, 'SIGSTOP');
        return dump !== undefined && tools.every((tool) => running.some(({ name }) => name === tool));
      }, 'the tools run');
      const running = processesUnder(range);
      expect(new Set(running.map(({ uid }) => uid)).size).toBe(running.length);
      await worker.kill();
      await until(() => processesUnder(range).length === 0, 'no tool is left');
    });

    test('runs in the same way as the entry point of the image starts it', async () => {
      const { STOWAGE_MASTER_KEY_FILE: _, STOWAGE_FILESYSTEM_ROOT: __, ...others } = settings;
      const entryPoint = [join(import.meta.dirname, '../../image/as-service'), 'nobody'];
      worker = await startWorker(program.main, { ...others, STOWAGE_MASTER_KEY: harness.ground.masterKey }, entryPoint);
      expect(worker.output()).toContain('Each tool runs under a uid of its own');
      expect(new Set(processesUnder(range).map(({ name }) => name))).toEqual(new Set(['node']));
    });

    test('passes on no descriptor that it was started with', async () => {
      const keyFile = settings['STOWAGE_MASTER_KEY_FILE'] ?? '';
      const withKey = ['/bin/bash', '-c', 'exec "$@" 63<"$0"', keyFile, ...asService()];
      worker = await startWorker(program.main, { ...settings, STOWAGE_MASTER_KEY_FILE: '/dev/fd/63' }, withKey);
      await until(() => processesUnder(range).some(({ name }) => name === 'node'), 'a process of a conversation runs');
      const files = processesUnder(range).flatMap(({ pid }) => filesOf(pid));
      expect(files.length).toBeGreaterThan(0);
      expect(files).not.toContain(keyFile);
    });

    test('tells which files its tools can read because everybody can', async () => {
      await chmod(settings['STOWAGE_MASTER_KEY_FILE'] ?? '', 0o644);
      worker = await startWorker(program.main, settings, asService());
      expect(worker.output()).toContain(`Tools can read '${settings['STOWAGE_MASTER_KEY_FILE'] ?? ''}'`);
    });

    /** Starts the worker where its tools cannot run under other uids, and returns how that ended. */
    async function refused(main: string, prefix: readonly string[]) {
      const [command, ...args] = [...prefix, process.execPath, main, 'worker'];
      const child = spawn(command, args, { env: { PATH: process.env['PATH'], ...settings } });
      const [output] = await Promise.all([text(child.stdout), once(child, 'exit')]);
      return { code: child.exitCode, output };
    }

    test.each([
      ['without capabilities', [], 'may not start a program under another uid'],
      ['without CAP_KILL', ['setuid', 'setgid'], 'may not signal a program under another uid'],
    ])('ends with 78 and says what to do %s', async (_how, capabilities, why) => {
      const { code, output } = await refused(program.main, asService(capabilities));
      expect(code).toBe(78);
      expect(output).toContain(why);
      expect(output).toContain('AmbientCapabilities=CAP_SETUID CAP_SETGID CAP_KILL');
    });

    test('ends with 78 if its own files are in a folder that other users cannot enter', async () => {
      const home = join(folder, 'home');
      await mkdir(home, { mode: 0o700 });
      const installed = dirname(dirname(dirname(program.main)));
      await cp(join(installed, 'dist'), join(home, 'dist'), { recursive: true });
      for (const name of ['package.json', 'node_modules']) await symlink(join(installed, name), join(home, name));
      await chown(home, serviceUid, serviceUid);
      const { code, output } = await refused(join(home, 'dist/src/main.js'), asService());
      expect(code).toBe(78);
      expect(output).toContain('must be able to read and enter');
    });

    test('ends with 78 if another process of Stowage has one of the uids', async () => {
      worker = await startWorker(program.main, settings, asService());
      const { code, output } = await refused(program.main, asService());
      expect(code).toBe(78);
      expect(output).toContain(
        `Another process of Stowage on this machine has STOWAGE_TOOL_UIDS=${range.first}-${range.last}`,
      );
    });

    test('ends with 78 if another process runs under one of the uids', async () => {
      const other = spawn('setpriv', ['--reuid', String(range.last), '--clear-groups', '--', 'sleep', '600']);
      await until(() => processesUnder(range).some(({ name }) => name === 'sleep'), 'the other process runs');
      const { code, output } = await refused(program.main, asService());
      other.kill('SIGKILL');
      await once(other, 'exit');
      expect(code).toBe(78);
      expect(output).toContain(`The process ${other.pid} (sleep) runs under a uid of STOWAGE_TOOL_UIDS`);
    });
  },
);

function filesOf(pid: number): string[] {
  const folder = `/proc/${pid}/fd`;
  return readdirSync(folder).map((name) => readlinkSync(join(folder, name)));
}

/** The endpoint was made by root, and belongs to the service. */
async function chownAll(root: string): Promise<void> {
  const chowning = spawn('chown', ['-R', `${serviceUid}:${serviceUid}`, root]);
  await once(chowning, 'exit');
}
