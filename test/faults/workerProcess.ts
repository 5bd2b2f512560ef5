/**
 * A worker in a separate process, which a fault kills or freezes. It uses the ground in WORKER_GROUND (JSON), with the times
 * in WORKER_TIMES. It prints `ready`, and `ended <how>` after each of its attempts.
 */
import 'reflect-metadata';
import { Closing } from '../../src/composition/closing.js';
import { openLog } from '../../src/log.js';
import { createSwiftDriver } from '../../src/storage/swift/swiftDriver.js';
import type { WorkerTimes } from '../../src/worker/workerTools.js';
import { createTestWorker, openTestStores, type WorkerGround } from '../fixtures/workerHarness.js';
import { impatient } from './impatient.js';

const ground = JSON.parse(process.env['WORKER_GROUND'] ?? '') as WorkerGround;
const times = JSON.parse(process.env['WORKER_TIMES'] ?? '{}') as Partial<WorkerTimes>;
const log = openLog('json', 'info', {
  write: (line: string) => {
    const { end } = JSON.parse(line) as { end?: string };
    if (end !== undefined) console.log(`ended ${end}`);
  },
});
const stores = await openTestStores(ground, log, new Closing(log));
const worker = await createTestWorker(stores, ground, log, {
  id: 'process',
  times,
  swift: createSwiftDriver(impatient),
});
await worker.start();
console.log('ready');
