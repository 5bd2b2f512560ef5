/**
 * One backup by the built code, in a process that does nothing else. It reads a `BackupOrder` as JSON from standard input and
 * prints a `BackupReport` as JSON. It is compiled together with the code that it runs (tsconfig.json of this folder). So there
 * is no compiler in the process, and its memory is that of the program.
 */
import 'reflect-metadata';
import { readFileSync } from 'node:fs';
import { text } from 'node:stream/consumers';
import { Secret } from '../../src/secret.js';
import { keepYoungGenerationSmall } from '../../src/smallHeap.js';
import type { BackupOrder, BackupReport } from './backupOrder.js';

keepYoungGenerationSmall();
const { takeBackup } = await import('../../src/archive/takeBackup.js');
const { createEngines } = await import('../../src/engines/engines.js');
const { swiftDriver } = await import('../../src/storage/swift/swiftDriver.js');

const { connection, swift, workFolder } = JSON.parse(await text(process.stdin)) as BackupOrder;
const engine = createEngines().get('MARIADB');
if (engine === undefined) throw new Error('There is no engine MARIADB.');
const storage = swiftDriver.open({
  authUrl: swift.authUrl,
  container: swift.container,
  createContainer: true,
  credentials: { kind: 'V1', user: swift.user, key: new Secret(swift.key) },
  allowHost: () => true,
});
const begin = performance.now();
const phases: Record<string, number> = {};
const taken = await takeBackup({
  engine,
  connection: { ...connection, password: new Secret(connection.password) },
  storage,
  folder: 'bench/',
  description: {
    installationId: 'bench',
    projectId: 'bench',
    serviceId: 'bench',
    serviceName: 'bench',
    planId: null,
    jobId: 'bench',
    batchId: 'bench',
    attempt: 1,
    trigger: 'MANUAL',
    startedAt: new Date().toISOString(),
  },
  downloadCommand: (name) => name,
  workFolder,
  signal: new AbortController().signal,
  stallTimeoutMs: 120_000,
  timeoutMs: null,
  now: () => new Date(),
  onPhase: (phase) => {
    phases[phase] = Math.round(performance.now() - begin);
    return Promise.resolve();
  },
  onProgress: () => undefined,
});
const seconds = (performance.now() - begin) / 1000;
await storage.close();
const { sizeBytes, storedSizeBytes } = taken;
const read = (file: string) => (process.platform === 'linux' ? readFileSync(`/proc/self/${file}`, 'utf8') : '');
const report: BackupReport = {
  ...{ seconds, sizeBytes, storedSizeBytes, phases },
  ...{ status: read('status'), stat: read('stat') },
};
console.log(JSON.stringify(report));
