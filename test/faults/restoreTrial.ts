import { setTimeout as pause } from 'node:timers/promises';
import { restoreJob, type KnownRestoreJob } from '../../src/restores/restoreJob.js';
import { fingerprint } from '../fixtures/mariadbFingerprint.js';
import { until } from '../fixtures/until.js';
import { messageProblem, toolsThatStayed, within, type Expected } from './backupTrial.js';
import type { BenchWorkerOptions, FaultBench } from './faultBench.js';
import { differenceOf } from './reckoning.js';
import type { Arming, Fault, Problem, Trial } from './trial.js';

export type RestoreFault = {
  readonly group: string;
  readonly name: string;
  readonly expects: Expected;
  /** NOTHING: the fault comes before the first statement, and the target must be unchanged. */
  readonly touches: 'NOTHING' | 'MAYBE';
  readonly arm: (bench: FaultBench) => Arming | Promise<Arming>;
  readonly worker?: (bench: FaultBench) => BenchWorkerOptions | Promise<BenchWorkerOptions>;
  /** The backup to restore. Default: the clean one. */
  readonly backup?: (bench: FaultBench) => Promise<string>;
  /** The pattern that the tool output of the failure must match. */
  readonly toolSays?: RegExp;
};

const endLimitMs = 90_000;

/** A restore under a fault, with up to three attempts. It is then checked. */
export function restoreFault(fault: RestoreFault): Fault {
  return {
    group: fault.group,
    name: fault.name,
    attempt: async (bench) => tryRestore(bench, (await fault.backup?.(bench)) ?? bench.cleanBackupId, fault),
  };
}

export async function tryRestore(
  bench: FaultBench,
  backupId: string,
  fault: Omit<RestoreFault, 'group' | 'name' | 'backup'>,
): Promise<Trial> {
  const arming = await fault.arm(bench);
  const worker = await bench.startWorker(await fault.worker?.(bench));
  const jobId = await bench.harness.queueRestore(backupId, bench.targetServiceId);
  const ended = await endOf(bench, jobId);
  await arming.disarm?.();
  const problems: Problem[] = [];
  if (!arming.reached()) problems.push({ kind: 'NOT_REACHED', what: 'the fault did not happen' });
  if (!(await within(worker.stop(), 30_000))) problems.push({ kind: 'STUCK', what: 'the worker did not stop' });
  await bench.heal();
  try {
    return await judge(bench, jobId, ended, { ...fault, problems });
  } finally {
    await bench.target.sql('DROP DATABASE IF EXISTS shop');
  }
}

async function judge(
  bench: FaultBench,
  jobId: string,
  ended: KnownRestoreJob | undefined,
  expected: Pick<RestoreFault, 'expects' | 'touches' | 'toolSays'> & { readonly problems: readonly Problem[] },
): Promise<Trial> {
  const problems = [...expected.problems];
  const add = (kind: Problem['kind'], what: string | undefined) => {
    if (what !== undefined) problems.push({ kind, what });
  };
  add('PROCESS', await toolsThatStayed(bench));
  if (ended === undefined) {
    add('STUCK', `has not ended after ${endLimitMs / 1000} s`);
    return { end: 'STUCK', sentence: '', problems };
  }
  const events = await bench.harness.eventsOf(jobId);
  const toolStarted = events.some(({ type }) => type === 'RestoreToolStarted');
  const error = ended.attempts.at(-1)?.error ?? undefined;
  const code = ended.status === 'FAILED' ? (error?.code ?? 'no error') : ended.status;
  if (!expected.expects.includes(code)) add('MISREPORTED', `${code} instead of ${expected.expects.join(' or ')}`);
  if (ended.status === 'SUCCEEDED') {
    add('FALSE_SUCCESS', differenceOf(bench.original.fingerprint, await fingerprint(bench.target, ['shop'])));
  } else {
    if (expected.touches === 'NOTHING' && toolStarted) add('MISREPORTED', 'the tool was started nevertheless');
    const found = await bench.target.sql(
      "SELECT table_name FROM information_schema.tables WHERE table_schema = 'shop'",
    );
    if (!toolStarted && found !== '') add('FALSE_SUCCESS', 'statements ran before the start of the tool was recorded');
    if (error !== undefined) add('MISREPORTED', messageProblem(error, expected.toolSays));
    if (toolStarted && error?.hint?.includes('may hold a part') !== true) {
      add('MISREPORTED', `does not describe what it may have left: ${error?.hint ?? ''}`);
    }
  }
  const attempts = events.filter(({ type }) => type === 'RestoreAttemptStarted').length;
  if (toolStarted && ended.status === 'FAILED' && attempts > 1 && startedMoreThanOnce(events)) {
    add('FALSE_SUCCESS', 'it was retried after its tool had started');
  }
  add('PROCESS', await sessionsThatStayed(bench));
  return {
    end: ended.status === 'FAILED' ? `FAILED ${code}` : ended.status,
    sentence: error === undefined ? '' : [error.message, error.hint].filter((text) => text !== null).join('\n'),
    problems,
  };
}

function startedMoreThanOnce(events: readonly { readonly type: string }[]): boolean {
  const started = events.findIndex(({ type }) => type === 'RestoreToolStarted');
  return events.slice(started).some(({ type }) => type === 'RestoreAttemptStarted');
}

async function sessionsThatStayed({ target }: FaultBench): Promise<string | undefined> {
  const count = async () =>
    Number(await target.sql("SELECT COUNT(*) FROM information_schema.processlist WHERE user = 'stowage'"));
  try {
    await until(async () => (await count()) === 0, 'no session is left on the target', 5_000);
    return undefined;
  } catch {
    return `${await count()} sessions on the target`;
  }
}

async function endOf(bench: FaultBench, jobId: string): Promise<KnownRestoreJob | undefined> {
  const givenUpAt = performance.now() + endLimitMs;
  for (;;) {
    const { state } = await bench.harness.store.load(restoreJob, jobId);
    if (state.status === 'SUCCEEDED' || state.status === 'FAILED' || state.status === 'CANCELLED') return state;
    if (performance.now() > givenUpAt) return undefined;
    await pause(25);
  }
}
