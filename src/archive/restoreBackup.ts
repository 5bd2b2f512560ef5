import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { EngineContext } from '../engines/engineContext.js';
import type { TableName } from '../engines/inventory.js';
import type { RestoreContext } from '../engines/runningRestore.js';
import { StowageError } from '../errors.js';
import type { ArchivePart, RestoreBackup, RestoredBackup } from './archive.js';
import { checkedSegments } from './checkedSegments.js';
import { compareInventories } from './compareInventories.js';
import { IncompleteRestore, told } from './incompleteRestore.js';
import { lockWaitMs, withinLimits, type Limits } from './limits.js';
import { uncountedTables } from './uncountedTables.js';

/**
 * Restores a backup into a target that has none of its databases. The stored bytes are read twice and spooled nowhere:
 * once to check all of them before the first statement, and once, checked again segment by segment, into the tool.
 * Throws TARGET_EXISTS, CHECKSUM, TOOL_FAILED with the tool's first error, an IncompleteRestore, STALLED, or the reason of
 * `signal`; no tool of ours runs any more by then, but after `onToolStarting` the server may: see `endOurSessions` of the
 * engine. How long all of it takes has no limit: that is a matter of how much is restored.
 */
export async function restoreBackup(input: RestoreBackup): Promise<RestoredBackup> {
  return withinLimits({ ...input, timeoutMs: null }, (limits) => restore(input, limits));
}

async function restore(input: RestoreBackup, limits: Limits): Promise<RestoredBackup> {
  const { engine, target, backup } = input;
  const { signal, moved } = limits;
  const context: EngineContext = {
    ...{ workFolder: input.workFolder, signal, onAnswer: moved },
    lockWaitMs: lockWaitMs(input.stallTimeoutMs),
  };

  await limits.outside(() => input.onPhase('PREFLIGHT'));
  await engine.restorePreflight(target, backup, context);

  await limits.outside(() => input.onPhase('FETCHING'));
  const progress = trackProgress(input);
  await limits.whileMoving(progress.position, progress.tell, async () => {
    for (const part of backup.parts) {
      for await (const _ of checkedSegments(input.storage, part, { signal, onBytes: progress.fetched }));
    }
  });
  progress.tell();

  // Fetching may have taken hours: a database that was made on the target meanwhile is not to be overwritten.
  const { warnings, changesByItself } = await engine.restorePreflight(target, backup, context);

  let isStarted = false;
  const mayStart = async () => {
    if (isStarted) return;
    isStarted = true;
    await limits.outside(() => input.onToolStarting());
    await limits.outside(() => input.onPhase('RESTORING'));
  };
  const begin = performance.now();
  await limits.whileMoving(progress.position, progress.tell, async () => {
    for (const part of backup.parts) await restorePart(input, { limits, mayStart }, part, progress);
  });
  progress.tell();

  await limits.outside(() => input.onPhase('CHECKING'));
  const names = backup.inventory.databases.map(({ name }) => name);
  const countingMs = countingAfterRestore(performance.now() - begin);
  const found = await engine.inventory({ ...target, databases: names }, { ...context, countingMs });
  if (names.length > 0 && found.databases.length === 0) {
    throw new StowageError('TOOL_FAILED', 'The restore did nothing: none of the databases is on the target.', {
      help: 'The restore tool said nothing of it: look into the logs of the target and of the worker at that time.',
    });
  }
  const { differences, notCompared } = compareInventories(backup.inventory, found);
  const judged = { expected: backup.inventory, actual: found, changesByItself };
  const losses = differences
    .map((difference) => engine.judgeDifference(difference, judged))
    .filter((loss) => loss !== null);
  if (losses.length > 0) throw new IncompleteRestore(losses, differences.map(told));
  const notes = [
    ...(notCompared === null ? [] : [notCompared]),
    ...notCounted(uncountedTables(backup.inventory, found)),
  ];
  return { warnings: [...warnings, ...notes], differences: differences.map(told) };
}

/** Rows are counted many times as fast as they are restored. */
function countingAfterRestore(restoreMs: number): number {
  return Math.max(60_000, restoreMs);
}

function notCounted(tables: readonly TableName[]): readonly string[] {
  if (tables.length === 0) return [];
  const shown = tables.slice(0, 20).map(({ database, name }) => `${database}.${name}`);
  const more = tables.length > shown.length ? ` and ${tables.length - shown.length} more` : '';
  return [
    `The rows of these tables were not compared with the backup, for the target could not count them in time: ${shown.join(', ')}${more}.`,
  ];
}

async function restorePart(
  input: RestoreBackup,
  { limits, mayStart }: { readonly limits: Limits; readonly mayStart: () => Promise<void> },
  part: ArchivePart,
  progress: Progress,
): Promise<void> {
  const tools = new AbortController();
  const signal = AbortSignal.any([limits.signal, tools.signal]);
  const context: RestoreContext = {
    ...{ workFolder: input.workFolder, signal, onAnswer: limits.moved, mayStart },
    lockWaitMs: lockWaitMs(input.stallTimeoutMs),
  };
  const { inventory } = input.backup;
  const running = await input.engine.restore(input.target, part, { restoreId: input.restoreId, inventory }, context);
  progress.startPart(() => running.writtenBytes());
  let sourceFailure: unknown;

  async function* checked(): AsyncIterable<Uint8Array> {
    try {
      for await (const segment of checkedSegments(input.storage, part, { signal, onBytes: () => undefined })) {
        for (const chunk of segment) {
          progress.restored(chunk.length);
          yield chunk;
        }
        progress.segment();
      }
    } catch (error) {
      sourceFailure = error;
      // Before the tool sees an end: it would take it for that of the dump.
      tools.abort(error);
      throw error;
    }
  }

  try {
    await pipeline(Readable.from(checked(), { objectMode: true, highWaterMark: 1 }), running.compressed);
    const { failure } = await running.ended;
    if (failure !== null) throw failure;
  } catch (error) {
    // A tool that ended by itself broke the pipe; it has more to say than the pipe.
    const failure = sourceFailure === undefined && !signal.aborted ? await firstFailure(running.ended) : null;
    tools.abort(error);
    await running.ended;
    throw failure ?? sourceFailure ?? error;
  }
}

async function firstFailure(ended: Promise<{ readonly failure: Error | null }>): Promise<Error | null> {
  return (await ended).failure;
}

type Progress = {
  readonly startPart: (writtenBytes: () => number) => void;
  readonly fetched: (bytes: number) => void;
  readonly restored: (bytes: number) => void;
  readonly segment: () => void;
  readonly position: () => number;
  readonly tell: () => void;
};

/** Half of the way is the check, half the restore. */
function trackProgress(input: RestoreBackup): Progress {
  const totalBytes = input.backup.parts.reduce((sum, part) => sum + part.storedSizeBytes, 0);
  let fetchedBytes = 0;
  let restoredBytes = 0;
  let segments = 0;
  let writtenBytes: () => number = () => 0;
  return {
    startPart: (reader) => {
      writtenBytes = reader;
    },
    fetched: (bytes) => {
      fetchedBytes += bytes;
    },
    restored: (bytes) => {
      restoredBytes += bytes;
    },
    segment: () => {
      segments += 1;
    },
    position: () => fetchedBytes + restoredBytes + writtenBytes(),
    tell: () => {
      const share = totalBytes === 0 ? null : (fetchedBytes + restoredBytes) / (2 * totalBytes);
      input.onProgress({ readBytes: fetchedBytes, storedBytes: restoredBytes, segments, share });
    },
  };
}
