import { setTimeout as pause } from 'node:timers/promises';
import { backupJob, type BackupJob, type BackupRequest } from '../../src/backups/backupJob.js';
import { BackupJobTable } from '../../src/backups/backupJobView.js';
import type { JobError } from '../../src/jobs/attempt.js';
import { until } from '../fixtures/until.js';
import { folderOf, type BenchWorkerOptions, type FaultBench } from './faultBench.js';
import { disprove } from './reckoning.js';
import type { Arming, Fault, Problem, Trial } from './trial.js';

/** The allowed ends of the job: an error code, or SUCCEEDED if the fault must not make it fail. */
export type Expected = readonly string[];

export type BackupFault = {
  readonly group: string;
  readonly name: string;
  readonly expects: Expected;
  /** Injects the fault, before a worker runs. */
  readonly arm: (bench: FaultBench) => Arming | Promise<Arming>;
  readonly worker?: (bench: FaultBench) => BenchWorkerOptions | Promise<BenchWorkerOptions>;
  /** Default: one attempt, so that the job reports the first failure. */
  readonly request?: Partial<BackupRequest>;
  /** The pattern that the tool output of the failure must match. */
  readonly toolSays?: RegExp;
};

const endLimitMs = 180_000;
const stopLimitMs = 60_000;
const patientMs = 60_000;

/** A backup under a fault. A worker in this process takes it, then it is checked. */
export function backupFault(fault: BackupFault): Fault {
  return {
    group: fault.group,
    name: fault.name,
    attempt: async (bench) => {
      const arming = await fault.arm(bench);
      const worker = await bench.startWorker(await fault.worker?.(bench));
      const jobId = await queueFaultyBackup(bench, { stallTimeoutMs: stallTimeoutOf(fault), ...fault.request });
      const ended = await endOf(bench, jobId);
      await arming.disarm?.();
      const stopped = await within(worker.stop(), stopLimitMs);
      const problems: Problem[] = [];
      if (!arming.reached()) problems.push({ kind: 'NOT_REACHED', what: 'the fault did not happen' });
      if (!stopped) problems.push({ kind: 'STUCK', what: `the worker did not stop within ${stopLimitMs / 1000} s` });
      await bench.heal();
      return judge(bench, jobId, ended, { ...fault, problems });
    },
  };
}

/** Only faults that test a stall have a short limit, because a busy machine is slow without a fault. */
function stallTimeoutOf({ expects }: BackupFault): number {
  return expects.includes('STALLED') ? 4_000 : patientMs;
}

export function queueFaultyBackup(bench: FaultBench, request: Partial<BackupRequest> = {}): Promise<string> {
  const { serviceId, fileEndpointId } = bench;
  return bench.harness.queueBackup({
    serviceId,
    fileEndpointId,
    maxAttempts: 1,
    stallTimeoutMs: patientMs,
    ...request,
  });
}

/** Undefined if it did not end within the limit. */
export async function endOf(bench: FaultBench, jobId: string, limitMs = endLimitMs): Promise<BackupJob | undefined> {
  const givenUpAt = performance.now() + limitMs;
  for (;;) {
    const { state } = await bench.harness.store.load(backupJob, jobId);
    if (state.status !== 'NONE' && state.status !== 'QUEUED' && state.status !== 'RUNNING') return state;
    if (performance.now() > givenUpAt) return undefined;
    await pause(25);
  }
}

/** After the fault is removed, the next backup to the same place must succeed. */
export async function nextBackup(bench: FaultBench): Promise<readonly Problem[]> {
  const worker = await bench.startWorker();
  const jobId = await queueFaultyBackup(bench);
  const ended = await endOf(bench, jobId);
  await worker.stop();
  const { problems } = await judge(bench, jobId, ended, { expects: ['SUCCEEDED'], problems: [] });
  return problems.map(({ kind, what }) => ({ kind, what: `the next backup: ${what}` }));
}

/** Checks everything that a fault may have left, and the report of the job. */
export async function judge(
  bench: FaultBench,
  jobId: string,
  ended: BackupJob | undefined,
  expected: Pick<BackupFault, 'expects' | 'toolSays'> & { readonly problems: readonly Problem[] },
): Promise<Trial> {
  const problems = [...expected.problems];
  const add = (kind: Problem['kind'], what: string | undefined) => {
    if (what !== undefined) problems.push({ kind, what });
  };
  add('PROCESS', await toolsThatStayed(bench));
  if (ended === undefined) {
    const { state } = await bench.harness.store.load(backupJob, jobId);
    add('STUCK', `still ${state.status} after ${endLimitMs / 1000} s`);
    return { end: `STUCK ${state.status}`, sentence: '', problems };
  }
  if (ended.status === 'SUCCEEDED') {
    const folder = await folderOf(bench.harness, jobId);
    add('FALSE_SUCCESS', await disprove(bench.hand, folder, bench.original, bench.folder));
  }
  const error = ended.status === 'FAILED' ? ended.error : undefined;
  const code = error?.code ?? ended.status;
  if (!expected.expects.includes(code)) add('MISREPORTED', `${code} instead of ${expected.expects.join(' or ')}`);
  add('MISREPORTED', error === undefined ? undefined : messageProblem(error, expected.toolSays));
  const shown = await bench.harness.dataSource.manager.findOneByOrFail(BackupJobTable, { id: jobId });
  if (shown.status !== ended.status || shown.errorCode !== (error?.code ?? null)) {
    add('MISREPORTED', `is shown as ${shown.status} ${shown.errorCode ?? ''}`);
  }
  add('ORPHAN', await orphansOf(bench, jobId));
  return {
    end: error === undefined ? ended.status : `FAILED ${error.code}`,
    sentence:
      error === undefined
        ? ''
        : [error.message, error.hint, error.toolOutput].filter((text) => text !== null).join('\n'),
    problems,
  };
}

export function messageProblem(error: JobError, toolSays: RegExp | undefined): string | undefined {
  if (!/^.{15,}\.$/s.test(error.message)) return `no sentence: "${error.message}"`;
  if (error.hint === null || error.hint.length < 15) return 'no hint';
  if (error.hint.includes('Read the last lines') && (error.toolOutput ?? '') === '') return 'no last lines to read';
  if (toolSays !== undefined && !toolSays.test(error.toolOutput ?? '')) {
    return `the tool's last lines are missing: ${error.toolOutput ?? 'none'}`;
  }
  return undefined;
}

export async function toolsThatStayed(bench: FaultBench): Promise<string | undefined> {
  try {
    await until(() => bench.toolsLeft().length === 0, 'no tool is left', 5_000);
    return undefined;
  } catch {
    return bench.toolsLeft().join(', ');
  }
}

/** The objects in the folders of a job's attempts that belong to no stored backup, after a sweep. */
async function orphansOf(bench: FaultBench, jobId: string): Promise<string | undefined> {
  const { harness, hand } = bench;
  const orphans = async () => {
    const { state } = await harness.store.load(backupJob, jobId);
    const stored = state.status === 'SUCCEEDED' ? state.result.folder : undefined;
    const own = (await hand.list()).filter(({ name }) => name.includes(`-${jobId.slice(0, 8)}-a`));
    return own.filter(({ name }) => stored === undefined || !name.startsWith(stored));
  };
  const isConfirmed = async () => {
    const row = await harness.dataSource.manager.findOneByOrFail(BackupJobTable, { id: jobId });
    return row.attemptsWithRemains.length === 0;
  };
  if (await bench.sweep(async () => (await isConfirmed()) && (await orphans()).length === 0)) return undefined;
  const left = await orphans();
  if (left.length === 0) return 'the deletion of the remains of its attempts was not confirmed';
  const bytes = left.reduce((sum, object) => sum + object.bytes, 0);
  return `${bytes} bytes in ${left.length} objects, such as ${left[0]?.name ?? ''}`;
}

/** Whether the promise settled in time. */
export async function within(work: Promise<unknown>, limitMs: number): Promise<boolean> {
  const limit = new AbortController();
  const late = pause(limitMs, false, { signal: limit.signal }).catch(() => false);
  const ended = await Promise.race([work.then(() => true), late]);
  limit.abort();
  return ended;
}
