/**
 * One backup by the built code, in a process that does nothing else. Takes what to do as JSON on standard input and
 * prints as JSON what came of it. Without a compiler in the process its memory is that of the program.
 */
/* global AbortController, performance */
import 'reflect-metadata';
import { readFileSync } from 'node:fs';
import { text } from 'node:stream/consumers';
import { Secret } from '../../dist/src/secret.js';
import { keepYoungGenerationSmall } from '../../dist/src/smallHeap.js';

keepYoungGenerationSmall();
const { takeBackup } = await import('../../dist/src/archive/takeBackup.js');
const { createEngines } = await import('../../dist/src/engines/engines.js');
const { swiftKind } = await import('../../dist/src/storage/swift/swiftKind.js');

const { connection, swift, workFolder } = JSON.parse(await text(process.stdin));
const storage = swiftKind.open({
  ...swift,
  credentials: { ...swift.credentials, key: new Secret(swift.credentials.key) },
  allowHost: () => true,
});
const begin = performance.now();
const phases = {};
const taken = await takeBackup({
  engine: createEngines().get('MARIADB'),
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
  onPhase: async (phase) => {
    phases[phase] = Math.round(performance.now() - begin);
  },
  onProgress: () => undefined,
});
const seconds = (performance.now() - begin) / 1000;
await storage.close();
const { sizeBytes, storedSizeBytes } = taken;
const read = (file) => (process.platform === 'linux' ? readFileSync(`/proc/self/${file}`, 'utf8') : '');
console.log(
  JSON.stringify({ seconds, sizeBytes, storedSizeBytes, phases, status: read('status'), stat: read('stat') }),
);
