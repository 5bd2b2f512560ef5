import { backupJob } from '../../../src/backups/backupJob.js';
import type { FaultRule } from '../../fixtures/servers/faultProxy.js';
import { until } from '../../fixtures/until.js';
import { endOf, judge, queueFaultyBackup } from '../backupTrial.js';
import { dumpOnTheWireBytes, folderOf, type FaultBench } from '../faultBench.js';
import type { Arming, Fault, Problem, Trial } from '../trial.js';
import { startWorkerUnderFault, type WorkerUnderFault } from '../workerUnderFault.js';

/** The moment of a backup at which the fault hits the worker. */
type Moment = {
  readonly name: string;
  readonly arm: (bench: FaultBench, act: () => void) => Arming;
  /** Whether the backup is complete at that moment, so that it is adopted. MAYBE: the request is being sent. */
  readonly isComplete?: 'MAYBE' | 'YES';
};

const leaseMs = 3_000;
/** The time limit for another worker to claim a lost job after its lease. */
const slackMs = 15_000;
/** The time limit for the second attempt. */
const backupMs = 30_000;
const segmentCount = 10;

const during = (name: string): Moment => ({
  name: `in the dump (${name})`,
  arm: ({ sourceLine, random }, act) => {
    const watch = sourceLine.atByte(Math.round(random() * dumpOnTheWireBytes), act);
    return { reached: () => watch.reached };
  },
});
const request = (
  name: string,
  rule: Pick<FaultRule, 'method'> & { path: (random: number) => RegExp },
): readonly Moment[] =>
  (['BEFORE', 'AFTER'] as const).map((when) => ({
    name: `${when.toLowerCase()} the ${name}`,
    arm: ({ storageLine, random }, act) => {
      const injected = storageLine.inject({
        method: rule.method,
        path: rule.path(random()),
        fault: { kind: 'call', when, act },
      });
      return { reached: () => injected.hits > 0 };
    },
  }));
const segment = (name: string) =>
  request(`upload of a segment (${name})`, {
    method: 'PUT',
    path: (random) =>
      new RegExp(`/segments/databases/${String(1 + Math.floor(random * segmentCount)).padStart(8, '0')}$`),
  });

/** Twenty moments with random bytes and segments. */
const moments: readonly Moment[] = [
  ...['first', 'second', 'third', 'fourth', 'fifth', 'sixth'].map(during),
  ...['first', 'second'].flatMap(segment),
  ...request('manifest', { method: 'PUT', path: () => /multipart-manifest=put/ }),
  ...request('look at the object', { method: 'HEAD', path: () => /\/databases\.sql\.zst$/ }),
  ...request('look at a segment', { method: 'HEAD', path: () => /\/segments\/databases\/00000004$/ }),
  ...request('storing of backup.json', { method: 'PUT', path: () => /\/backup\.json$/ }).map((moment, index) => ({
    ...moment,
    isComplete: index === 0 ? ('MAYBE' as const) : ('YES' as const),
  })),
  ...request('reading of backup.json', { method: 'GET', path: () => /\/backup\.json$/ }).map((moment) => ({
    ...moment,
    isComplete: 'YES' as const,
  })),
];

export const workers: readonly Fault[] = [
  ...moments.map((moment) => ({
    ...{ group: 'Worker killed', name: `kill -9 ${moment.name}` },
    attempt: (bench: FaultBench) => tryWorker(bench, moment, killed),
  })),
  ...moments.map((moment) => ({
    ...{ group: 'Worker frozen', name: `SIGSTOP past the lease ${moment.name}` },
    attempt: (bench: FaultBench) => tryWorker(bench, moment, frozen),
  })),
];

type Blow = {
  readonly strike: (worker: WorkerUnderFault) => void;
  /** The expected states while another worker takes over the job, and after that. */
  readonly check: (bench: FaultBench, jobId: string, worker: WorkerUnderFault) => Promise<readonly Problem[]>;
};

const killed: Blow = {
  strike: (worker) => {
    worker.noteTools();
    worker.signal('SIGKILL');
  },
  check: async (_, __, worker) =>
    (await worker.toolsAreGone(5_000)) ? [] : [{ kind: 'PROCESS', what: 'a tool outlived its worker' }],
};

const frozen: Blow = {
  strike: (worker) => {
    worker.noteTools();
    worker.signal('SIGSTOP');
  },
  check: zombie,
};

/**
 * The frozen worker resumes after another worker has adopted the backup. It must neither report nor change anything.
 */
async function zombie(bench: FaultBench, jobId: string, worker: WorkerUnderFault): Promise<readonly Problem[]> {
  const ended = await endOf(bench, jobId, leaseMs + slackMs + backupMs);
  if (ended?.status !== 'SUCCEEDED') return [];
  const folder = await folderOf(bench.harness, jobId);
  const seen = async () =>
    JSON.stringify([
      await bench.hand.list(folder),
      (await bench.harness.eventsOf(jobId)).filter(isOfRun).map(({ version, type }) => `${version} ${type}`),
    ]);
  const before = await seen();
  worker.signal('SIGCONT');
  const problems: Problem[] = [];
  if (!(await worker.saidEnd(30_000)))
    problems.push({ kind: 'STUCK', what: 'the frozen worker did not end its attempt' });
  if (!(await worker.toolsAreGone(5_000)))
    problems.push({ kind: 'PROCESS', what: 'a tool of the frozen worker stayed' });
  if ((await seen()) !== before)
    problems.push({ kind: 'FALSE_SUCCESS', what: 'the frozen worker changed the backup of the next attempt' });
  return problems;
}

/** Events about the remains of attempts do not belong to the run. */
function isOfRun({ type }: { readonly type: string }): boolean {
  return type !== 'BackupRemainsRemoved' && type !== 'BackupAttemptVoided';
}

async function tryWorker(bench: FaultBench, moment: Moment, blow: Blow): Promise<Trial> {
  const worker = await startWorkerUnderFault(bench, { lease: leaseMs });
  try {
    let struckAt: number | undefined;
    const arming = moment.arm(bench, () => {
      struckAt ??= performance.now();
      blow.strike(worker);
    });
    const jobId = await queueFaultyBackup(bench, { maxAttempts: 3, stallTimeoutMs: 20_000 });
    await until(() => struckAt !== undefined, 'the fault has hit the worker', 30_000).catch(() => undefined);
    const second = await bench.startWorker({ times: { lease: leaseMs } });
    const problems: Problem[] = [];
    if (!arming.reached()) problems.push({ kind: 'NOT_REACHED', what: 'the backup never came there' });
    else if (!(await isTakenOver(bench, jobId, struckAt ?? 0))) {
      problems.push({ kind: 'STUCK', what: `no other worker claimed it within the lease and ${slackMs / 1000} s` });
    }
    problems.push(...(await blow.check(bench, jobId, worker)));
    const ended = await endOf(bench, jobId, backupMs);
    await worker.end();
    await bench.heal();
    await second.stop();
    problems.push(...(await attemptsOf(bench, jobId, moment)));
    return await judge(bench, jobId, ended, { expects: ['SUCCEEDED'], problems });
  } finally {
    await worker.end();
  }
}

async function isTakenOver(bench: FaultBench, jobId: string, struckAt: number): Promise<boolean> {
  const left = leaseMs + slackMs - (performance.now() - struckAt);
  const next = async () => {
    const { state } = await bench.harness.store.load(backupJob, jobId);
    if (state.status === 'RUNNING') return state.current.number > 1;
    return state.status === 'SUCCEEDED' || state.status === 'FAILED';
  };
  return until(next, 'another worker has claimed it', Math.max(0, left)).then(
    () => true,
    () => false,
  );
}

/**
 * Either one attempt was lost and one succeeded, or the backup of the lost attempt was complete and became the backup
 * of the job.
 */
async function attemptsOf(
  bench: FaultBench,
  jobId: string,
  { isComplete }: Pick<Moment, 'isComplete'>,
): Promise<readonly Problem[]> {
  const { state } = await bench.harness.store.load(backupJob, jobId);
  if (state.status === 'NONE') return [];
  const outcomes = state.attempts.map(({ outcome, error, adoptedBy }) =>
    `${outcome} ${error?.code ?? (adoptedBy === undefined ? '' : 'ADOPTED')}`.trim(),
  );
  const successes = (await bench.harness.eventsOf(jobId)).filter(({ type }) => type === 'BackupSucceeded').length;
  if (successes > 1) return [{ kind: 'FALSE_SUCCESS', what: 'two attempts succeeded' }];
  const expected = [
    ...(isComplete === 'YES' ? [] : ['WORKER_LOST WORKER_LOST,SUCCEEDED']),
    ...(isComplete === undefined ? [] : ['SUCCEEDED ADOPTED']),
  ];
  return expected.includes(outcomes.join())
    ? []
    : [{ kind: 'MISREPORTED', what: `its attempts are reported as ${outcomes.join(', ')}` }];
}
