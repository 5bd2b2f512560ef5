import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { EngineContext, InventoryContext } from '../engines/engineContext.js';
import type { StoredStep } from '../engines/pipeline/storedStep.js';
import { storedSteps } from '../engines/pipeline/storedSteps.js';
import type { TableName } from '../engines/inventory.js';
import type { RestoreContext } from '../engines/runningRestore.js';
import { StowageError } from '../errors.js';
import type { ArchivePart, RestoreBackup, RestoredBackup } from './archive.js';
import { checkedSegments } from './checkedSegments.js';
import { compareInventories } from './compareInventories.js';
import { IncompleteRestore, recordedDifference } from './incompleteRestore.js';
import { firstSteps } from './layout.js';
import { lockWaitMs, withinLimits, type Limits } from './limits.js';
import { trackRestoreProgress, type RestoreProgress } from './restoreProgress.js';
import { uncountedTables } from './uncountedTables.js';

/**
 * Restores a backup into a target that has none of its databases. The stored bytes are read twice and kept nowhere. The
 * first reading checks all of them before the first statement. The second reading checks them again segment by segment,
 * and passes them to the tool.
 *
 * Throws TARGET_EXISTS, CHECKSUM, TOOL_FAILED with the tool's first error, an IncompleteRestore, STALLED, or the reason
 * of `signal`. By then all our tools have ended. After `onToolStarting` the server may still run a statement: see
 * `endOurSessions` of the engine. The restore as a whole has no time limit.
 */
export async function restoreBackup(input: RestoreBackup): Promise<RestoredBackup> {
  return withinLimits({ ...input, timeoutMs: null }, (limits) => restore(input, limits));
}

async function restore(input: RestoreBackup, limits: Limits): Promise<RestoredBackup> {
  const { engine, target } = input;
  const { signal, moved } = limits;
  const parts = input.backup.parts.filter(({ replay }) => replay !== false);
  const replayed = parts.map((part) => ({ part, steps: storedSteps(part.steps ?? firstSteps) }));
  const context: EngineContext = {
    ...{ workFolder: input.workFolder, signal, onAnswer: moved },
    lockWaitMs: lockWaitMs(input.stallTimeoutMs),
  };
  const requirements = { inventory: input.backup.inventory, parts };

  await limits.outside(() => input.onPhase('PREFLIGHT'));
  await engine.restorePreflight(target, requirements, context);

  await limits.outside(() => input.onPhase('FETCHING'));
  const progress = trackRestoreProgress(input, parts);
  await limits.whileMoving(progress.position, progress.report, async () => {
    for (const part of parts) {
      for await (const _ of checkedSegments(input.storage, part, { signal, onBytes: progress.fetched }));
    }
  });
  progress.report();

  // The fetch may have taken hours. A database that was created on the target meanwhile must not be overwritten.
  const { warnings, changesByItself } = await engine.restorePreflight(target, requirements, context);

  let isStarted = false;
  const mayStart = async () => {
    if (isStarted) return;
    isStarted = true;
    await limits.outside(() => input.onToolStarting());
    await limits.outside(() => input.onPhase('RESTORING'));
  };
  const begin = performance.now();
  await limits.whileMoving(progress.position, progress.report, async () => {
    for (const work of replayed) await restorePart(input, limits, { ...work, mayStart, progress });
  });
  progress.report();

  await limits.outside(() => input.onPhase('CHECKING'));
  const countingMs = countingAfterRestore(performance.now() - begin);
  const checked = await checkRestored(input, { ...context, countingMs }, changesByItself);
  return { ...checked, warnings: [...warnings, ...checked.warnings] };
}

/** Compares the target with the backup. Throws an IncompleteRestore if the target holds less. */
async function checkRestored(
  { engine, target, backup }: RestoreBackup,
  context: InventoryContext,
  changesByItself: boolean,
): Promise<RestoredBackup> {
  const names = backup.inventory.databases.map(({ name }) => name);
  const found = await engine.inventory({ ...target, databases: names }, context);
  if (names.length > 0 && found.databases.length === 0) {
    throw new StowageError('TOOL_FAILED', 'The restore did nothing: the target has none of the databases.', {
      help: 'The restore tool did not report this: read the logs of the target and of the worker at that time.',
    });
  }
  const { differences, notCompared } = compareInventories(backup.inventory, found);
  const judged = { expected: backup.inventory, actual: found, changesByItself };
  const losses = differences
    .map((difference) => engine.judgeDifference(difference, judged))
    .filter((loss) => loss !== null);
  const recorded = differences.map(recordedDifference);
  if (losses.length > 0) throw new IncompleteRestore(losses, recorded);
  return {
    warnings: [...(notCompared === null ? [] : [notCompared]), ...notCounted(uncountedTables(backup.inventory, found))],
    differences: recorded,
  };
}

/** Counting rows is many times faster than restoring them. */
function countingAfterRestore(restoreMs: number): number {
  return Math.max(60_000, restoreMs);
}

function notCounted(tables: readonly TableName[]): readonly string[] {
  if (tables.length === 0) return [];
  const shown = tables.slice(0, 20).map(({ database, name }) => `${database}.${name}`);
  const more = tables.length > shown.length ? ` and ${tables.length - shown.length} more` : '';
  return [
    `The rows of these tables were not compared with the backup, because the target could not count them in time: ${shown.join(', ')}${more}.`,
  ];
}

async function restorePart(
  input: RestoreBackup,
  limits: Limits,
  work: {
    readonly part: ArchivePart;
    readonly steps: readonly StoredStep[];
    readonly mayStart: () => Promise<void>;
    readonly progress: RestoreProgress;
  },
): Promise<void> {
  const { part, progress } = work;
  const tools = new AbortController();
  const signal = AbortSignal.any([limits.signal, tools.signal]);
  const context: RestoreContext = {
    ...{ workFolder: input.workFolder, signal, onAnswer: limits.moved },
    ...{ steps: work.steps, mayStart: work.mayStart },
    lockWaitMs: lockWaitMs(input.stallTimeoutMs),
  };
  const { inventory } = input.backup;
  const running = await input.engine.restore(input.target, part, { restoreId: input.restoreId, inventory }, context);
  progress.startPart(() => running.writtenBytes());
  let sourceFailure: unknown;

  async function* checked(): AsyncIterable<Uint8Array> {
    try {
      for await (const segment of checkedSegments(input.storage, part, { signal, onBytes: () => undefined })) {
        for (let chunk = segment.shift(); chunk !== undefined; chunk = segment.shift()) {
          progress.restored(chunk.length);
          yield chunk;
        }
        progress.segment();
      }
    } catch (error) {
      sourceFailure = error;
      // The tool must be ended before its input ends. Otherwise it would commit a part of the dump.
      tools.abort(error);
      throw error;
    }
  }

  try {
    await pipeline(Readable.from(checked(), { objectMode: true, highWaterMark: 1 }), running.stored);
    const { failure } = await running.ended;
    if (failure !== null) throw failure;
  } catch (error) {
    // If the tool ended by itself, the pipe broke because of that. So the tool's error is the cause.
    const failure = sourceFailure === undefined && !signal.aborted ? await firstFailure(running.ended) : null;
    tools.abort(error);
    await running.ended;
    throw failure ?? sourceFailure ?? error;
  }
}

async function firstFailure(ended: Promise<{ readonly failure: Error | null }>): Promise<Error | null> {
  return (await ended).failure;
}
