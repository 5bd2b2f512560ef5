import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { EngineContext } from '../engines/engine.js';
import { StowageError } from '../errors.js';
import type { ArchivePart, RestoreBackup, RestoredBackup } from './archive.js';
import { checkedSegments } from './checkedSegments.js';
import { compareInventories } from './inventories.js';
import { startLimits, type Limits } from './limits.js';

/**
 * Restores a backup into a target that has none of its databases. The stored bytes are read twice and spooled nowhere:
 * once to check all of them before the first statement, and once, checked again segment by segment, into the tool.
 * Throws TARGET_EXISTS, CHECKSUM, TOOL_FAILED with the tool's first error, STALLED, or the reason of `signal`; no tool of
 * ours runs any more by then, but after `onToolStarting` the server may: see `endOurSessions` of the engine.
 */
export async function restoreBackup(input: RestoreBackup): Promise<RestoredBackup> {
  const limits = startLimits({ ...input, timeoutMs: null });
  try {
    return await restore(input, limits);
  } catch (error) {
    limits.signal.throwIfAborted();
    throw error;
  } finally {
    limits.close();
  }
}

async function restore(input: RestoreBackup, limits: Limits): Promise<RestoredBackup> {
  const { engine, target, backup } = input;
  const context: EngineContext = { workFolder: input.workFolder, signal: limits.signal };

  await input.onPhase('PREFLIGHT');
  await engine.restorePreflight(target, backup, context);

  await input.onPhase('FETCHING');
  const progress = trackProgress(input);
  await limits.whileMoving(progress.position, progress.tell, async () => {
    for (const part of backup.parts) {
      for await (const _ of checkedSegments(input.storage, part, { ...context, onBytes: progress.fetched }));
    }
  });

  // Fetching may have taken hours: a database that was made on the target meanwhile is not to be overwritten.
  const warnings = await engine.restorePreflight(target, backup, context);

  await input.onToolStarting();
  await input.onPhase('RESTORING');
  await limits.whileMoving(progress.position, progress.tell, async () => {
    for (const part of backup.parts) await restorePart(input, limits, part, progress);
  });
  progress.tell();

  await input.onPhase('CHECKING');
  const names = backup.inventory.databases.map(({ name }) => name);
  const found = await engine.inventory({ ...target, databases: names }, context);
  if (names.length > 0 && found.databases.length === 0) {
    throw new StowageError('TOOL_FAILED', 'The restore did nothing: none of the databases is on the target.');
  }
  return { warnings, differences: compareInventories(backup.inventory, found) };
}

async function restorePart(input: RestoreBackup, limits: Limits, part: ArchivePart, progress: Progress): Promise<void> {
  const tools = new AbortController();
  const signal = AbortSignal.any([limits.signal, tools.signal]);
  const running = await input.engine.restore(input.target, part, { workFolder: input.workFolder, signal });
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
  return {
    fetched: (bytes) => {
      fetchedBytes += bytes;
    },
    restored: (bytes) => {
      restoredBytes += bytes;
    },
    segment: () => {
      segments += 1;
    },
    position: () => fetchedBytes + restoredBytes,
    tell: () => {
      const share = totalBytes === 0 ? null : (fetchedBytes + restoredBytes) / (2 * totalBytes);
      input.onProgress({ readBytes: fetchedBytes, storedBytes: restoredBytes, segments, share });
    },
  };
}
