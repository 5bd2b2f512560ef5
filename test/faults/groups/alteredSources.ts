import { heldAfterFirstBytes } from '../../fixtures/archive.js';
import { fingerprint } from '../../fixtures/mariadbFingerprint.js';
import { until } from '../../fixtures/until.js';
import { endOf, queueFaultyBackup, toolsThatStayed, within } from '../backupTrial.js';
import type { FaultBench } from '../faultBench.js';
import { restoreInto } from '../sourceTrial.js';
import type { Fault, Problem, Trial } from '../trial.js';
import { differenceOf } from '../reckoning.js';

const patienceMs = 300;
const longMs = 1_500;
const alterLimitMs = 60_000;

/** The storage accepts only the first bytes of a dump, so that the dump keeps reading the table. */
const large = `CREATE DATABASE odd; USE odd; CREATE TABLE large (id INT PRIMARY KEY, v TEXT);
  INSERT INTO large SELECT seq, CONCAT(${Array.from({ length: 8 }, () => 'SHA2(RAND(), 512)').join(', ')})
    FROM seq_1_to_30000;`;
const alter = 'ALTER TABLE odd.large ADD COLUMN added INT DEFAULT 7';

/** An application alters a table while it is dumped, and must not wait for the dump longer than the time limit. */
export const alteredSources: readonly Fault[] = [
  {
    group: 'Sources and targets',
    name: 'an ALTER behind a dump, which ends and is tried again',
    attempt: (bench) => withAltered(bench, { yieldToLocks: true }),
  },
  {
    group: 'Sources and targets',
    name: 'an ALTER behind a dump that does not end for it',
    attempt: (bench) => withAltered(bench, { yieldToLocks: false }),
  },
];

type Request = { readonly yieldToLocks: boolean };

async function withAltered(bench: FaultBench, request: Request): Promise<Trial> {
  const { source, target } = bench;
  try {
    await source.sql(large);
    return await alterBehindDump(bench, request);
  } finally {
    for (const server of [source, target]) await server.sql('DROP DATABASE IF EXISTS odd');
    await bench.deleteBackups();
  }
}

async function alterBehindDump(bench: FaultBench, { yieldToLocks }: Request): Promise<Trial> {
  const { harness, source } = bench;
  const held: ReturnType<typeof heldAfterFirstBytes>[] = [];
  const serviceId = await harness.addService(source, { databases: ['odd'] });
  const worker = await bench.startWorker({
    lockPatienceMs: patienceMs,
    wrapStorage: (storage) => {
      if (held.length > 0) return storage;
      const holding = heldAfterFirstBytes(storage);
      held.push(holding);
      return holding.storage;
    },
  });
  const problems: Problem[] = [];
  try {
    const before = await fingerprint(source, ['odd']);
    const jobId = await queueFaultyBackup(bench, { serviceId, maxAttempts: 3, yieldToLocks });
    await until(() => held.length > 0, 'the storage is opened');
    await held[0]?.holding;
    const altered = source.sql(alter);
    if (!yieldToLocks) {
      await until(() => hasWaited(bench), 'the ALTER has waited for several times the limit');
      held[0]?.release();
    }
    if (!(await within(altered, alterLimitMs))) problems.push({ kind: 'STUCK', what: 'the ALTER still waits' });
    held[0]?.release();
    await altered;
    const ended = await endOf(bench, jobId);
    const stayed = await toolsThatStayed(bench);
    if (stayed !== undefined) problems.push({ kind: 'PROCESS', what: stayed });
    const failures = await failuresOf(bench, jobId);
    const expected = yieldToLocks ? ['SERVICE_BUSY'] : [];
    if (failures.map(({ code }) => code).join() !== expected.join()) {
      problems.push({ kind: 'MISREPORTED', what: `failed with ${failures.map(({ code }) => code).join()}` });
    }
    if (ended?.status !== 'SUCCEEDED') {
      problems.push({ kind: 'STUCK', what: `the backup is ${ended?.status ?? 'not ended'}` });
      return { end: ended?.status ?? 'STUCK', sentence: sentenceOf(failures), problems };
    }
    const contents = yieldToLocks ? await fingerprint(source, ['odd']) : before;
    const wrong = await restoreInto(bench, jobId);
    const difference = wrong ?? differenceOf(contents, await fingerprint(bench.target, ['odd']));
    if (difference !== undefined) problems.push({ kind: 'FALSE_SUCCESS', what: difference });
    if (yieldToLocks && !/'odd\.large'.*ALTER TABLE/.test(sentenceOf(failures))) {
      problems.push({ kind: 'MISREPORTED', what: `does not name the statement: ${sentenceOf(failures)}` });
    }
    return { end: 'SUCCEEDED', sentence: sentenceOf(failures), problems };
  } finally {
    held[0]?.release();
    await worker.stop();
  }
}

async function hasWaited({ source }: FaultBench): Promise<boolean> {
  const waiting = await source.sql(`SELECT COUNT(*) FROM information_schema.processlist
    WHERE info LIKE 'ALTER TABLE odd.large%' AND state LIKE 'Waiting for%' AND time_ms > ${longMs}`);
  return waiting.trim() === '1';
}

type Failure = { readonly code: string; readonly message: string };

async function failuresOf({ harness }: FaultBench, jobId: string): Promise<readonly Failure[]> {
  const events = await harness.eventsOf(jobId);
  return events.flatMap(({ type, data }) =>
    type === 'BackupAttemptEnded' ? [(data as { readonly error: Failure }).error] : [],
  );
}

function sentenceOf(failures: readonly Failure[]): string {
  return failures.map(({ message }) => message).join('\n');
}
