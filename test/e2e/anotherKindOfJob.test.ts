/** A kind of job that the program does not contain, through queue, worker, reaper and read model. */
import { createHash, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { Client } from 'pg';
import { cancelJob, enqueueJob } from '../../src/jobs/jobCommands.js';
import { watchJob } from '../../src/jobs/jobChanges.js';
import type { Worker } from '../../src/worker/worker.js';
import { createCabinetEngine } from '../fixtures/engines/cabinetEngine.js';
import { makeProofTable, ProofJobTable, type ProofJobRow } from '../fixtures/proof/proofJob.js';
import { killed, spawnWorker } from '../fixtures/processes/spawnedWorker.js';
import { createProofKind, proofHandling, type WhileReading } from '../fixtures/proof/proofKind.js';
import { describeWith } from '../fixtures/requirements.js';
import { postgresMissing } from '../fixtures/servers/postgres.js';
import { startWorkerHarness, type WorkerHarness } from '../fixtures/workerHarness.js';

const bytes = 'The object that the job checks.';
const sha256 = createHash('sha256').update(bytes).digest('hex');

describeWith({ postgresql: await postgresMissing() }, 'A kind of job that is given to the program', () => {
  let harness: WorkerHarness;
  let fileEndpointId: string;
  let whileReading: WhileReading;
  const workers: Worker[] = [];
  const engine = createCabinetEngine('/nowhere');
  const kind = createProofKind((signal) => whileReading(signal));

  beforeAll(async () => {
    harness = await startWorkerHarness([], [kind]);
    const owner = new Client({ connectionString: harness.ground.ownerUrl });
    await owner.connect();
    await owner.query(makeProofTable).finally(() => owner.end());
    fileEndpointId = await harness.addFolder();
    await writeFile(join(harness.ground.root, 'object'), bytes);
  });
  afterAll(() => harness.stop());
  afterEach(async () => {
    await Promise.all(workers.splice(0).map((worker) => worker.stop()));
  });

  async function startWorker(): Promise<void> {
    workers.push(await harness.startWorker({ engines: new Map([[engine.name, engine]]) }));
  }
  async function prove(objectName = 'object'): Promise<string> {
    const job = { id: randomUUID(), projectId: harness.projectId };
    const request = {
      ...{ objectName, fileEndpointId, engine: engine.name, requestedBy: 'test' },
      ...{ queuedAt: new Date().toISOString(), maxAttempts: 3, stallTimeoutMs: 20_000 },
    };
    await harness.transact((tx) =>
      enqueueJob(tx, harness.queue, proofHandling, job, { request, serviceId: randomUUID() }),
    );
    await harness.signals.send('work');
    return job.id;
  }
  async function cancel(id: string): Promise<void> {
    const job = { id, projectId: harness.projectId };
    await harness.transact((tx) => cancelJob(tx, harness.queue, proofHandling, job, 'a person', new Date()));
    await harness.signals.send('cancel', id);
  }
  const rowOf = (id: string) => harness.dataSource.manager.findOneByOrFail(ProofJobTable, { id });
  const isInQueue = async (id: string) => {
    const rows = await harness.dataSource.query<unknown[]>('SELECT FROM job_queue WHERE job_id = $1', [id]);
    return rows.length > 0;
  };
  /** Reads until it is interrupted. */
  function reading(): { readonly begun: Promise<void> } {
    let begin: () => void = () => undefined;
    const begun = new Promise<void>((resolve) => (begin = resolve));
    whileReading = async (signal) => {
      begin();
      if (!signal.aborted) await once(signal, 'abort');
      signal.throwIfAborted();
    };
    return { begun };
  }

  test('is queued, claimed, run and watched', async () => {
    whileReading = () => Promise.resolve();
    const id = await prove();
    const load = (jobId: string) => harness.dataSource.manager.findOneBy(ProofJobTable, { id: jobId });
    const states = watchJob<ProofJobRow>(harness, { streamType: 'ProofJob', kind: 'PROOF', load }, id);
    expect((await states.next()).value).toMatchObject({ status: 'QUEUED', attempt: 0 });
    await startWorker();
    const seen: ProofJobRow[] = [];
    for await (const row of states) seen.push(row);
    expect(seen.at(-1)).toMatchObject({ status: 'SUCCEEDED', sha256, attempts: [{ outcome: 'SUCCEEDED' }] });
    expect(await isInQueue(id)).toBe(false);
    expect(await harness.files()).toEqual(['object']);
  });

  test('whose worker was killed is ended by its own rule, and tried again', async () => {
    whileReading = () => Promise.resolve();
    const { child, printed } = spawnWorker(harness.ground, {}, 'proof/proofWorkerProcess.ts');
    await printed('ready');
    const id = await prove();
    await printed('holding');
    await killed(child);
    expect(await harness.files()).toEqual(['object', 'object.note']);

    await startWorker();
    // An attempt that finds the note of another attempt fails. So the rule of the kind has removed the note before the
    // second attempt.
    const events = await harness.until(id, 'ProofSucceeded');
    expect(events.map(({ type }) => type)).toEqual([
      ...['ProofQueued', 'ProofAttemptStarted', 'ProofPhaseEntered', 'ProofPhaseEntered', 'ProofAttemptEnded'],
      ...['ProofAttemptStarted', 'ProofPhaseEntered', 'ProofPhaseEntered', 'ProofSucceeded'],
    ]);
    expect((await rowOf(id)).attempts).toMatchObject([
      { worker: 'process', outcome: 'WORKER_LOST', error: { code: 'WORKER_LOST' } },
      { outcome: 'SUCCEEDED' },
    ]);
    expect(await harness.files()).toEqual(['object']);
  });

  test('is cancelled while it waits, and while it runs', async () => {
    const waiting = await prove();
    await cancel(waiting);
    expect(await rowOf(waiting)).toMatchObject({ status: 'CANCELLED', cancelRequestedBy: 'a person', attempt: 0 });
    expect(await isInQueue(waiting)).toBe(false);

    const { begun } = reading();
    await startWorker();
    const running = await prove();
    await begun;
    await cancel(running);
    await harness.until(running, 'ProofCancelled');
    expect(await rowOf(running)).toMatchObject({ status: 'CANCELLED', attempts: [{ outcome: 'CANCELLED' }] });
    expect(await isInQueue(running)).toBe(false);
    expect(await harness.files()).toEqual(['object']);
  });

  test('is handed back by a worker that stops, and fails if its object is missing', async () => {
    const { begun } = reading();
    workers.push(await harness.startWorker({ engines: new Map([[engine.name, engine]]), times: { grace: 0 } }));
    const id = await prove('missing');
    await begun;
    await workers[0]?.stop();
    expect(await rowOf(id)).toMatchObject({ status: 'QUEUED', attempts: [{ outcome: 'HANDED_BACK' }] });

    whileReading = () => Promise.resolve();
    await startWorker();
    await harness.until(id, 'ProofFailed');
    expect(await rowOf(id)).toMatchObject({ status: 'FAILED', error: { code: 'ENDPOINT_NOT_FOUND' } });
  });
});
