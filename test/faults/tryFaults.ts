import type { FaultBench } from './faultBench.js';
import type { Tried } from './faultReport.js';
import type { Fault, Problem, Trial } from './trial.js';

/** One fault after another. After each group its backups are deleted, and nothing but the clean one may be left. */
export async function* tryFaults(bench: FaultBench, faults: readonly Fault[]): AsyncGenerator<Tried> {
  for (const [index, fault] of faults.entries()) {
    const trial = await fault.attempt(bench).catch(failedItself);
    await bench.heal();
    const isLastOfGroup = faults[index + 1]?.group !== fault.group;
    const left = isLastOfGroup ? await leftAfterDeleting(bench) : [];
    yield { fault, trial: { ...trial, problems: [...trial.problems, ...left] } };
  }
}

/** The others are tried all the same. */
function failedItself(error: unknown): Trial {
  const what = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return { end: 'NOT JUDGED', sentence: '', problems: [{ kind: 'STUCK', what: `the trial itself failed: ${what}` }] };
}

/** What is in the container though every backup but the clean one was deleted. */
export async function leftAfterDeleting(bench: FaultBench): Promise<readonly Problem[]> {
  await bench.deleteBackups();
  const objects = await bench.hand.list();
  const clean = `-${bench.cleanBackupId.slice(0, 8)}-a`;
  const left = objects.filter(({ name }) => name !== '.stowage.json' && !name.includes(clean));
  if (left.length === 0) return [];
  const bytes = left.reduce((sum, object) => sum + object.bytes, 0);
  return [
    {
      kind: 'ORPHAN',
      what: `after the group ${bytes} bytes in ${left.length} objects, such as ${left[0]?.name ?? ''}`,
    },
  ];
}
