import { restoreJob } from '../../src/restores/restoreJob.js';
import { fingerprint } from '../fixtures/mariadbFingerprint.js';
import { startMariadb, type MariadbServer } from '../fixtures/servers/mariadb.js';
import { endOf, messageProblem, queueFaultyBackup } from './backupTrial.js';
import type { FaultBench } from './faultBench.js';
import { differenceOf } from './reckoning.js';
import type { Fault, Problem, Trial } from './trial.js';

/** An unusual database `odd`, source or target, and the allowed outcomes. */
export type OddDatabase = {
  readonly name: string;
  /** Statements that create the contents of `odd` on the source. */
  readonly statements: string;
  /** Statements for the servers, and statements that undo them. */
  readonly source?: Settings;
  readonly target?: Settings;
  /** The target is a server of its own, which stores and compares names in lower case (`lower_case_table_names=1`). */
  readonly targetFoldsNames?: true;
  /**
   * KEPT: backup and restore succeed, and everything is unchanged. WARNED: it may also be restored differently, if a
   * warning of the backup states this. Otherwise: the code with which one of them may fail.
   */
  readonly ends: readonly string[];
  /** The pattern that the warning, or the failure with its hint, must match. */
  readonly pattern?: RegExp;
};
export type Settings = { readonly set: string; readonly back: string };

const group = 'Sources and targets';
const endLimitMs = 120_000;

/** Backs up the database, restores it, and compares the two exactly. */
export function oddDatabase(odd: OddDatabase): Fault {
  return {
    ...{ group, name: odd.name },
    attempt: async (bench) => {
      if (odd.targetFoldsNames === undefined) return attempt(bench, odd);
      const target = await startMariadb(['--lower-case-table-names=1']);
      try {
        return await attempt({ ...bench, target }, odd);
      } finally {
        await target.stop();
      }
    },
  };
}

async function attempt(bench: FaultBench, odd: OddDatabase): Promise<Trial> {
  const { source, target } = bench;
  const contents = async (server: MariadbServer) => inCaseOf(odd, await fingerprint(server, ['odd']));
  try {
    await source.sql(`CREATE DATABASE IF NOT EXISTS odd; USE odd; ${odd.statements}`);
    const before = await contents(source);
    await source.sql(odd.source?.set ?? 'DO 0');
    await target.sql(odd.target?.set ?? 'DO 0');
    const end = await backUpAndRestore(bench);
    await takeBack(odd, source, target);
    return judge(odd, end, end.restored ? differenceOf(before, await contents(target)) : undefined);
  } finally {
    await takeBack(odd, source, target);
    for (const server of [source, target]) await server.sql('DROP DATABASE IF EXISTS odd');
    // The newest backup is to be one of the sample database again.
    await bench.deleteBackups();
  }
}

/** Rows are digests, so only names and definitions lose their letter case. */
function inCaseOf(odd: OddDatabase, contents: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  if (odd.targetFoldsNames === undefined) return contents;
  return Object.fromEntries(Object.entries(contents).map(([what, text]) => [what.toLowerCase(), text.toLowerCase()]));
}

type End = {
  readonly status: string;
  readonly sentence: string;
  readonly warnings: readonly string[];
  readonly restored: boolean;
  readonly problem?: Problem;
};

async function backUpAndRestore(bench: FaultBench): Promise<End> {
  const { harness, source } = bench;
  const serviceId = await harness.addService(source, { databases: ['odd'] });
  const worker = await bench.startWorker();
  try {
    const id = await queueFaultyBackup(bench, { serviceId });
    const ended = await endOf(bench, id, endLimitMs);
    if (ended?.status === 'FAILED') return failed('backup', ended.error);
    if (ended?.status !== 'SUCCEEDED') return stuck('backup');
    const { warnings } = ended.result;
    const { type, data } = await restored(bench, id);
    if (type === 'RestoreFailed') return failed('restore', (data as { error: Parameters<typeof failed>[1] }).error);
    return { status: 'SUCCEEDED', sentence: '', warnings, restored: true };
  } finally {
    await worker.stop();
  }
}

/** Restores a backup into the target with the worker that runs. Returns the failure, or undefined. */
export async function restoreInto(bench: FaultBench, backupId: string): Promise<string | undefined> {
  const { type, data } = await restored(bench, backupId);
  return type === 'RestoreFailed' ? (data as { error: { message: string } }).error.message : undefined;
}

async function restored(bench: FaultBench, backupId: string): Promise<{ type: string; data: object }> {
  const { harness, target } = bench;
  return restoreEnd(bench, await harness.queueRestore(backupId, await harness.addService(target), 1));
}

async function restoreEnd({ harness }: FaultBench, id: string): Promise<{ type: string; data: object }> {
  const ended = Promise.any(
    ['RestoreSucceeded', 'RestoreFailed'].map((type) => harness.until(id, type, endLimitMs)),
  ).catch(() => undefined);
  const last = (await ended)?.at(-1);
  const { state } = await harness.store.load(restoreJob, id);
  return last ?? { type: 'RestoreFailed', data: { error: { code: `STUCK ${state.status}`, message: '', hint: '' } } };
}

function failed(
  what: string,
  error: { code: string; message: string; hint: string | null; toolOutput: string | null; retriable: boolean },
): End {
  const problem = messageProblem(error, undefined);
  return {
    ...{
      status: error.code,
      sentence: `${what}: ${error.message}\n${error.hint ?? ''}`,
      warnings: [],
      restored: false,
    },
    ...(problem === undefined ? {} : { problem: { kind: 'MISREPORTED', what: problem } as const }),
  };
}

function stuck(what: string): End {
  return { status: 'STUCK', sentence: `The ${what} did not end.`, warnings: [], restored: false };
}

function judge(odd: OddDatabase, end: End, difference: string | undefined): Trial {
  const problems: Problem[] = end.problem === undefined ? [] : [end.problem];
  const texts = `${end.sentence}\n${end.warnings.join('\n')}`;
  const isSaid = odd.pattern === undefined || odd.pattern.test(texts);
  const status = end.restored ? (difference === undefined ? 'KEPT' : 'WARNED') : end.status;
  if (status === 'STUCK' || status.startsWith('STUCK ')) problems.push({ kind: 'STUCK', what: end.sentence });
  else if (difference !== undefined && !(odd.ends.includes('WARNED') && isSaid)) {
    problems.push({ kind: 'FALSE_SUCCESS', what: `${difference}; warned of: ${end.warnings.join(' ')}` });
  } else if (!odd.ends.includes(status)) {
    problems.push({ kind: 'MISREPORTED', what: `${status} instead of ${odd.ends.join(' or ')}: ${end.sentence}` });
  } else if (status !== 'KEPT' && !isSaid) problems.push({ kind: 'MISREPORTED', what: `says otherwise: ${texts}` });
  if (end.restored) return { end: 'SUCCEEDED', sentence: `${status}: ${end.warnings.join('\n')}`, problems };
  return { end: `FAILED ${end.status}`, sentence: texts, problems };
}

/** Idempotent. */
async function takeBack(odd: OddDatabase, source: MariadbServer, target: MariadbServer): Promise<void> {
  if (odd.source !== undefined) await source.sql(odd.source.back);
  if (odd.target !== undefined) await target.sql(odd.target.back);
}
