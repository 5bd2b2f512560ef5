import type { FaultBench } from './faultBench.js';
import type { Tried } from './faultReport.js';
import type { Fault, Problem } from './trial.js';

/** One fault after another. After each group its backups are deleted, and nothing but the clean one may be left. */
export async function* tryFaults(bench: FaultBench, faults: readonly Fault[]): AsyncGenerator<Tried> {
  for (const [index, fault] of faults.entries()) {
    const trial = await fault.attempt(bench);
    await bench.heal();
    const isLastOfGroup = faults[index + 1]?.group !== fault.group;
    const left = isLastOfGroup ? await leftAfterDeleting(bench) : [];
    yield { fault, trial: { ...trial, problems: [...trial.problems, ...left] } };
  }
}

async function leftAfterDeleting(bench: FaultBench): Promise<readonly Problem[]> {
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
