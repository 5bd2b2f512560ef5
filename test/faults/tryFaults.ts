import { containerName, folderOf, storedBackups, type FaultBench } from './faultBench.js';
import type { Tried } from './faultReport.js';
import { disproveByRestoring } from './reckoning.js';
import type { Fault, Problem, Trial } from './trial.js';

/** Runs one fault after another. After each group its backups are deleted, and only the clean one may remain. */
export async function* tryFaults(bench: FaultBench, faults: readonly Fault[]): AsyncGenerator<Tried> {
  for (const [index, fault] of faults.entries()) {
    const beganAt = performance.now();
    const trial = await fault.attempt(bench).catch(failedItself);
    await bench.heal();
    const isLastOfGroup = faults[index + 1]?.group !== fault.group;
    const left = isLastOfGroup ? await leftAfterDeleting(bench) : [];
    const seconds = (performance.now() - beganAt) / 1000;
    yield { fault, seconds, trial: { ...trial, problems: [...trial.problems, ...left] } };
  }
}

/** The other faults still run. */
function failedItself(error: unknown): Trial {
  const what = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return { end: 'NOT JUDGED', sentence: '', problems: [{ kind: 'STUCK', what: `the trial itself failed: ${what}` }] };
}

/**
 * Restores the newest backup by hand, and deletes every backup except for the clean one. Then the container must have no other
 * object, there must be no other container, and no job may be pending.
 */
export async function leftAfterDeleting(bench: FaultBench): Promise<readonly Problem[]> {
  const wrong = await restoringNewest(bench);
  await bench.deleteBackups();
  return [
    ...(wrong === undefined ? [] : [{ kind: 'FALSE_SUCCESS', what: `restored by hand: ${wrong}` } as const]),
    ...(await orphansIn(bench)),
    ...(await unfinishedIn(bench)),
  ];
}

async function restoringNewest({ harness, cleanBackupId, fileEndpointId, ...bench }: FaultBench) {
  const [newest] = (await storedBackups(harness, cleanBackupId))
    .filter((row) => row.fileEndpointId === fileEndpointId)
    .sort((one, other) => other.queuedAt.getTime() - one.queuedAt.getTime());
  if (newest === undefined) return undefined;
  const { hand, original, folder, target: server } = bench;
  return disproveByRestoring(hand, await folderOf(harness, newest.id), original, { folder, server });
}

async function orphansIn(bench: FaultBench): Promise<readonly Problem[]> {
  const others = (await bench.swiftHand.containers()).filter((name) => name !== containerName);
  if (others.length > 0) return [{ kind: 'ORPHAN', what: `unexpected containers: ${others.join(', ')}` }];
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

/** Only for existing endpoints: objects at removed ones cannot be deleted. */
async function unfinishedIn({ harness }: FaultBench): Promise<readonly Problem[]> {
  const [found] = await harness.dataSource.query<
    { queued: number; backups: number; restores: number; remains: number }[]
  >(
    `SELECT (SELECT count(*)::int FROM job_queue) AS queued,
            (SELECT count(*)::int FROM backup_jobs
             WHERE status IN ('QUEUED', 'RUNNING') OR availability = 'DELETING') AS backups,
            (SELECT count(*)::int FROM restore_jobs WHERE status IN ('QUEUED', 'RUNNING')) AS restores,
            (SELECT count(*)::int FROM backup_jobs JOIN file_endpoints ON file_endpoints.id = file_endpoint_id
             WHERE attempts_with_remains <> '[]' AND removed_at IS NULL) AS remains`,
  );
  const unfinished = Object.entries(found ?? {}).filter(([, count]) => count > 0);
  if (unfinished.length === 0) return [];
  return [{ kind: 'STUCK', what: `not finished: ${unfinished.map(([what, count]) => `${count} ${what}`).join(', ')}` }];
}
