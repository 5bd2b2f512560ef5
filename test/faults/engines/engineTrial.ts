import { backupJob } from '../../../src/backups/backupJob.js';
import type { Engine } from '../../../src/engines/engine.js';
import type { JobError } from '../../../src/jobs/attempt.js';
import { restoreJob } from '../../../src/restores/restoreJob.js';
import { until } from '../../fixtures/until.js';
import { messageProblem, toolsThatStayed, within, type Expected } from '../backupTrial.js';
import type { FaultBench } from '../faultBench.js';
import type { Arming, Problem, Trial } from '../trial.js';
import type { EngineGround } from './engineGround.js';

/** A fault of the tools or servers of an engine, during a backup or a restore. */
export type EngineFault = {
  /** The allowed ends: an error code, or SUCCEEDED if the fault must not make the job fail. */
  readonly expects: Expected;
  readonly arm?: (ground: EngineGround) => Arming;
  /** Default: the engine with the real tools. */
  readonly engine?: (ground: EngineGround) => Promise<Engine>;
  /** Undoes a change of the source or target, before the result is judged. */
  readonly undo?: (ground: EngineGround) => Promise<void>;
};

const stallTimeoutMs = 10_000;
const patientMs = 90_000;
const endLimitMs = 240_000;

type Ended = { readonly status: string; readonly error?: JobError | undefined };

/** Backs up `shop` under the fault. A backup that is reported as a success is restored, and compared with the source. */
export async function tryEngineBackup(bench: FaultBench, ground: EngineGround, fault: EngineFault): Promise<Trial> {
  const original = await ground.contents('source');
  const queue = () =>
    bench.harness.queueBackup({
      ...{ serviceId: ground.serviceId, fileEndpointId: bench.folderEndpointId, engine: ground.name, maxAttempts: 1 },
      stallTimeoutMs: fault.expects.includes('STALLED') ? stallTimeoutMs : patientMs,
    });
  const { id, ended, problems } = await underFault(bench, ground, fault, queue, backupEnd);
  if (ended?.status === 'SUCCEEDED') {
    const after = await ground.contents('source');
    const restored = await restoreWithoutFault(bench, ground, id);
    if (restored.problem !== undefined) problems.push(restored.problem);
    // A backup that began before a change of the source may hold what was there before.
    else if (restored.contents !== original && restored.contents !== after) {
      problems.push({ kind: 'FALSE_SUCCESS', what: 'the restored database differs from the source' });
    }
  } else {
    const left = await filesOf(bench, id);
    if (left.length > 0) problems.push({ kind: 'ORPHAN', what: `${left.length} files, such as ${left[0] ?? ''}` });
  }
  return trialOf(ended, problems);
}

/** A backup without a fault, and what the source held. A fault of an earlier trial may have changed the source since. */
export type CleanBackup = { readonly id: string; readonly contents: string };

/** Restores the clean backup of the ground under the fault, and compares the target if it is reported as a success. */
export async function tryEngineRestore(
  bench: FaultBench,
  ground: EngineGround,
  clean: CleanBackup,
  fault: EngineFault,
): Promise<Trial> {
  const stallMs = fault.expects.includes('STALLED') ? stallTimeoutMs : patientMs;
  const queue = () => bench.harness.queueRestore(clean.id, ground.targetServiceId, 1, stallMs, ground.name);
  try {
    const { id, ended, problems } = await underFault(bench, ground, fault, queue, restoreEnd);
    if (ended?.status === 'SUCCEEDED' && (await ground.contents('target')) !== clean.contents) {
      problems.push({ kind: 'FALSE_SUCCESS', what: 'the target differs from the source' });
    }
    const started = (await bench.harness.eventsOf(id)).some(({ type }) => type === 'RestoreToolStarted');
    if (ended?.error !== undefined && started && !/may hold a part/.test(ended.error.hint ?? '')) {
      problems.push({
        kind: 'MISREPORTED',
        what: `does not describe what it may have left: ${ended.error.hint ?? ''}`,
      });
    }
    return trialOf(ended, problems);
  } finally {
    await ground.clearTarget();
  }
}

/** Takes a backup without a fault, restores it, and compares. */
export async function cleanEngineBackup(bench: FaultBench, ground: EngineGround): Promise<CleanBackup> {
  const queue = () =>
    bench.harness.queueBackup({
      ...{ serviceId: ground.serviceId, fileEndpointId: bench.folderEndpointId, engine: ground.name },
      stallTimeoutMs: patientMs,
    });
  const { id, ended, problems } = await underFault(bench, ground, { expects: ['SUCCEEDED'] }, queue, backupEnd);
  const restored = ended?.status === 'SUCCEEDED' ? await restoreWithoutFault(bench, ground, id) : undefined;
  const contents = await ground.contents('source');
  if (problems.length === 0 && contents !== undefined && restored?.contents === contents) return { id, contents };
  const what = [...problems, restored?.problem].map((problem) => problem?.what ?? '').join('; ');
  throw new Error(`Without any fault the backup of ${ground.name} is wrong: ${what}`);
}

async function underFault(
  bench: FaultBench,
  ground: EngineGround,
  { expects, arm, engine: faulty, undo }: EngineFault,
  queue: () => Promise<string>,
  endOf: (bench: FaultBench, id: string) => Promise<Ended | undefined>,
): Promise<{ readonly id: string; readonly ended: Ended | undefined; readonly problems: Problem[] }> {
  const arming = arm?.(ground);
  const engine = (await faulty?.(ground)) ?? ground.engine();
  const worker = await bench.startWorker({ engines: new Map([[ground.name, engine]]) });
  const id = await queue();
  const ended = await endOf(bench, id);
  const problems: Problem[] = [];
  const add = (kind: Problem['kind'], what: string | undefined) => {
    if (what !== undefined) problems.push({ kind, what });
  };
  await arming?.disarm?.();
  if (!(await within(worker.stop(), 60_000))) add('STUCK', 'the worker did not stop');
  await engine.close();
  await ground.heal();
  await undo?.(ground);
  if (arming?.reached() === false) add('NOT_REACHED', 'the fault did not happen');
  add('PROCESS', await toolsThatStayed(bench));
  if (ended === undefined) add('STUCK', `has not ended after ${endLimitMs / 1000} s`);
  else {
    const code = ended.error?.code ?? ended.status;
    if (!expects.includes(code)) add('MISREPORTED', `${code} instead of ${expects.join(' or ')}`);
    if (ended.error !== undefined) add('MISREPORTED', messageProblem(ended.error, undefined));
  }
  return { id, ended, problems };
}

async function restoreWithoutFault(bench: FaultBench, ground: EngineGround, backupId: string) {
  const engine = ground.engine();
  const worker = await bench.startWorker({ engines: new Map([[ground.name, engine]]) });
  try {
    const id = await bench.harness.queueRestore(backupId, ground.targetServiceId, 1, patientMs, ground.name);
    const ended = await restoreEnd(bench, id);
    const contents = await ground.contents('target');
    if (ended?.status === 'SUCCEEDED') return { contents };
    const what = `the backup cannot be restored: ${ended?.error?.message ?? 'the restore did not end'}`;
    return { contents, problem: { kind: 'FALSE_SUCCESS', what } as const };
  } finally {
    await worker.stop();
    await engine.close();
    await ground.clearTarget();
  }
}

function backupEnd(bench: FaultBench, id: string): Promise<Ended | undefined> {
  return settled(async () => {
    const { state } = await bench.harness.store.load(backupJob, id);
    if (state.status === 'FAILED') return { status: state.status, error: state.error };
    return state.status === 'SUCCEEDED' || state.status === 'CANCELLED' ? { status: state.status } : undefined;
  });
}

function restoreEnd(bench: FaultBench, id: string): Promise<Ended | undefined> {
  return settled(async () => {
    const { state } = await bench.harness.store.load(restoreJob, id);
    if (state.status === 'FAILED') return { status: state.status, error: state.attempts.at(-1)?.error ?? undefined };
    return state.status === 'SUCCEEDED' || state.status === 'CANCELLED' ? { status: state.status } : undefined;
  });
}

/** Undefined: it has not ended within the limit. */
async function settled(end: () => Promise<Ended | undefined>): Promise<Ended | undefined> {
  let found: Ended | undefined;
  const hasEnded = async () => {
    found = await end();
    return found !== undefined;
  };
  await until(hasEnded, 'the job has ended', endLimitMs).catch(() => undefined);
  return found;
}

/** The files of a failed job after its remains were removed. */
async function filesOf(bench: FaultBench, id: string): Promise<readonly string[]> {
  const files = async () =>
    (await bench.harness.files(bench.folderPath)).filter((name) => name.includes(`-${id.slice(0, 8)}-a`));
  await bench.sweep(async () => (await files()).length === 0);
  return files();
}

function trialOf(ended: Ended | undefined, problems: readonly Problem[]): Trial {
  const { status = 'STUCK', error } = ended ?? {};
  const texts = [error?.message, error?.hint, error?.toolOutput].filter((text) => (text ?? '') !== '');
  return { end: error === undefined ? status : `FAILED ${error.code}`, sentence: texts.join('\n'), problems };
}
