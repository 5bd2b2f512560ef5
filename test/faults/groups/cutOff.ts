import type { FaultRule } from '../../fixtures/servers/faultProxy.js';
import { until } from '../../fixtures/until.js';
import { endOf, judge, queueFaultyBackup, within } from '../backupTrial.js';
import { dumpOnTheWireBytes, type FaultBench } from '../faultBench.js';
import type { Arming, Fault, Problem, Trial } from '../trial.js';

const leaseMs = 3_000;

type Moment = { readonly name: string; readonly arm: (bench: FaultBench, act: () => void) => Arming };
const onRequest = (name: string, rule: Pick<FaultRule, 'method' | 'path'>): Moment => ({
  name,
  arm: ({ storageLine }, act) => {
    const injected = storageLine.inject({ ...rule, fault: { kind: 'call', when: 'BEFORE', act } });
    return { reached: () => injected.hits > 0 };
  },
});

/** During the dump the storage also stops answering. Otherwise the dump would end before the lease. */
const moments: readonly Moment[] = [
  ...[0.2, 0.5, 0.8].map((share): Moment => ({
    name: `at ${share * 100} % of the dump`,
    arm: ({ sourceLine }, act) => {
      const watch = sourceLine.atByte(Math.round(share * dumpOnTheWireBytes), () => {
        act();
        sourceLine.freeze();
      });
      return { reached: () => watch.reached };
    },
  })),
  onRequest('at the upload of a segment', { method: 'PUT', path: /\/segments\/databases\/00000005$/ }),
  onRequest('at the manifest', { method: 'PUT', path: /multipart-manifest=put/ }),
  onRequest('at the check of the object', { method: 'HEAD', path: /\/databases\.sql\.zst$/ }),
  onRequest('at the storing of backup.json', { method: 'PUT', path: /\/backup\.json$/ }),
  onRequest('at the reading of backup.json', { method: 'GET', path: /\/backup\.json$/ }),
];

const cuts = [
  { name: 'PostgreSQL refuses connections', cut: ({ postgresLine }: FaultBench) => void postgresLine.cut() },
  { name: 'the line to PostgreSQL is dead', cut: ({ postgresLine }: FaultBench) => postgresLine.freeze() },
];

/** A worker that cannot reach PostgreSQL for longer than its lease ends its own dump, and another worker claims the job. */
export const cutOff: readonly Fault[] = cuts.flatMap(({ name, cut }) =>
  moments.map((moment) => ({
    ...{ group: 'Worker cut off', name: `${name} ${moment.name}` },
    attempt: (bench: FaultBench) => tryCutOff(bench, moment, () => cut(bench)),
  })),
);

async function tryCutOff(bench: FaultBench, moment: Moment, cut: () => void): Promise<Trial> {
  const arming = moment.arm(bench, cut);
  const worker = await bench.startWorker({ throughPostgresLine: true, times: { lease: leaseMs } });
  const jobId = await queueFaultyBackup(bench, { maxAttempts: 3, stallTimeoutMs: 60_000 });
  const problems: Problem[] = [];
  await until(arming.reached, 'the worker is cut off', 30_000).catch(() => {
    problems.push({ kind: 'NOT_REACHED', what: 'the backup never reached this step' });
  });
  // The worker is still cut off, so it gets no notification.
  await until(() => bench.toolsLeft().length === 0, 'its tools have ended', leaseMs + 5_000).catch(() => {
    problems.push({ kind: 'PROCESS', what: 'the worker that was cut off did not end its dump' });
  });
  await bench.sourceLine.heal();
  bench.storageLine.heal();
  const second = await bench.startWorker({ times: { lease: leaseMs } });
  const ended = await endOf(bench, jobId);
  await bench.heal();
  const stopped = await within(Promise.all([worker.stop(), second.stop()]), 30_000);
  if (!stopped) problems.push({ kind: 'STUCK', what: 'a worker did not stop' });
  return judge(bench, jobId, ended, { expects: ['SUCCEEDED'], problems });
}
