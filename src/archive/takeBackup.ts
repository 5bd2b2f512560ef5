import { buffer } from 'node:stream/consumers';
import type { EngineContext } from '../engines/engineContext.js';
import type { Inventory } from '../engines/inventory.js';
import type { PartSpec, PreflightReport } from '../engines/preflightReport.js';
import type { ReadyDump } from '../engines/runningDump.js';
import { StowageError } from '../errors.js';
import type { StoredObject } from '../storage/storage.js';
import type { ArchivePart, TakeBackup, TakenBackup } from './archive.js';
import { serializeBackupDocument, type BackupDocument } from './backupDocument.js';
import { checkDump, countingAfter, type PartToCheck } from './checkDump.js';
import { backupDocumentName, partObject, segmentFolder } from './layout.js';
import { withLongestStatements } from './longestStatements.js';
import { lockWaitMs, withinLimits, type Limits } from './limits.js';

/**
 * The one door to success: it returns only when every dump tool ended with 0 and its stream was complete, the storage
 * confirmed and gave back what was stored, and backup.json was written last and read back. Otherwise it throws a
 * StowageError with a failure code, or the reason of `signal`; no tool of ours runs any more by then. What was stored
 * before is left in `folder`, without a backup.json.
 */
export async function takeBackup(input: TakeBackup): Promise<TakenBackup> {
  return withinLimits(input, (limits) => take(input, limits));
}

async function take(input: TakeBackup, limits: Limits): Promise<TakenBackup> {
  const { folder, storage } = input;
  const { signal, moved } = limits;
  const context: EngineContext = {
    ...{ workFolder: input.workFolder, signal, onAnswer: moved },
    lockPatienceMs: input.lockPatienceMs ?? null,
    lockWaitMs: lockWaitMs(input.stallTimeoutMs),
  };
  const { report, dumped, dumpMs } = await dumpAll(input, limits, context);
  try {
    await limits.outside(() => input.onPhase('VERIFYING'));
    for (const { part, stored } of dumped) {
      await storage.verify(part.objectName, stored, { signal, onAnswer: moved });
      moved();
    }
    const work = { before: report.inventory, parts: dumped, countingMs: countingAfter(dumpMs) };
    const checked = await checkDump(input, limits, context, work);
    const parts = dumped.map(({ part }) => part);
    const backup = {
      folder,
      parts,
      inventory: withLongestStatements(
        checked.inventory,
        dumped.map(({ tables }) => tables),
      ),
      warnings: [
        ...report.warnings,
        ...dumped.flatMap(({ warnings }) => warnings),
        ...dumped.flatMap(({ toolOutput }) => (toolOutput === '' ? [] : [`The dump tool said: ${toolOutput}`])),
        ...checked.warnings,
      ],
      sizeBytes: sum(parts.map((part) => part.sizeBytes)),
      storedSizeBytes: sum(parts.map((part) => part.storedSizeBytes)),
    };
    await writeBackupDocument(input, backup, limits);
    return backup;
  } finally {
    await endCounting(dumped);
  }
}

async function endCounting(dumped: readonly DumpedPart[]): Promise<void> {
  await Promise.all(dumped.map(async ({ counting }) => counting?.end(0)));
}

/** Preflight and dump. What reads from the dump tool is started while the server is still asked. */
async function dumpAll(
  input: TakeBackup,
  limits: Limits,
  context: EngineContext,
): Promise<{ readonly report: PreflightReport; readonly dumped: readonly DumpedPart[]; readonly dumpMs: number }> {
  const { engine, connection } = input;
  const { signal } = limits;
  const preflight = limits.outside(() => input.onPhase('PREFLIGHT'));
  const reported = whileEntering(preflight, signal, (either) =>
    unlessRefused(input.mayStore, either, (signal) => engine.preflight(connection, { ...context, signal })),
  );
  const ready = engine.readyDump?.(context);
  // Told where it is awaited.
  ready?.catch(() => undefined);
  try {
    const report = await reported;
    const dumping = limits.outside(() => input.onPhase('DUMPING'));
    dumping.catch(() => undefined);
    const progress = trackProgress(input, report.inventory);
    const dumped: DumpedPart[] = [];
    const begin = performance.now();
    try {
      for (const [index, spec] of report.parts.entries()) {
        const last = index === report.parts.length - 1;
        const part = { spec, report, progress, last, mayStart: dumping };
        dumped.push(await storePart(input, limits, index === 0 ? { ...part, ready } : part));
      }
    } catch (error) {
      await endCounting(dumped);
      throw error;
    } finally {
      // What made the first part fail may have come before the phase was entered: nothing is said after the end.
      await dumping;
    }
    return { report, dumped, dumpMs: performance.now() - begin };
  } finally {
    await ready?.then(
      (each) => each.close(),
      () => undefined,
    );
  }
}

/**
 * Asks the server while a phase is being entered, which changes nothing there. Where the phase cannot be entered the
 * questions end, and why is thrown.
 */
async function whileEntering<T>(
  entering: Promise<void>,
  signal: AbortSignal,
  ask: (either: AbortSignal) => Promise<T>,
): Promise<T> {
  const refused = new AbortController();
  entering.catch((error: unknown) => refused.abort(error));
  try {
    return await ask(AbortSignal.any([signal, refused.signal]));
  } finally {
    await entering;
  }
}

/** Asks the server and the storage at once. Where one of them refuses the other is asked no longer, and its refusal is thrown. */
async function unlessRefused<T>(
  mayStore: TakeBackup['mayStore'],
  signal: AbortSignal,
  ask: (either: AbortSignal) => Promise<T>,
): Promise<T> {
  const refused = new AbortController();
  const either = AbortSignal.any([signal, refused.signal]);
  const asked = [ask(either), mayStore?.(either) ?? Promise.resolve()] as const;
  for (const each of asked) each.catch((error: unknown) => refused.abort(error));
  await Promise.allSettled(asked);
  refused.signal.throwIfAborted();
  return asked[0];
}

type DumpedPart = PartToCheck & {
  readonly part: ArchivePart;
  readonly stored: StoredObject;
  readonly warnings: readonly string[];
};

/**
 * Dumps one part into the storage. The source that the storage reads fails at its end if the dump did, so the object
 * never becomes visible.
 */
async function storePart(
  input: TakeBackup,
  limits: Limits,
  work: {
    spec: PartSpec;
    report: PreflightReport;
    progress: Progress;
    last: boolean;
    mayStart: Promise<void>;
    ready?: Promise<ReadyDump> | undefined;
  },
): Promise<DumpedPart> {
  const { engine, storage, folder, workFolder } = input;
  const { spec, report, progress, mayStart } = work;
  const objectName = partObject(folder, spec);
  const tools = new AbortController();
  const signal = AbortSignal.any([limits.signal, tools.signal]);
  const dump = await engine.dump(input.connection, spec, report, {
    ...{ workFolder, signal, mayStart },
    ...(work.ready === undefined ? {} : { ready: await work.ready }),
    onAnswer: limits.moved,
    lockPatienceMs: input.lockPatienceMs ?? null,
    lockWaitMs: lockWaitMs(input.stallTimeoutMs),
  });
  let dumpFailure: Error | null | undefined;
  // A storage that takes nothing more would learn of it only when it does.
  const failed = dump.ended.then(({ failure }) => {
    if (failure !== null) tools.abort(failure);
  });

  async function* source(): AsyncIterable<Uint8Array> {
    let receivedBytes = 0;
    for await (const chunk of dump.compressed) {
      receivedBytes += chunk.length;
      progress.passed(chunk.length);
      yield chunk;
    }
    const { failure, compressedSizeBytes } = await dump.ended;
    dumpFailure = failure ?? lostOnTheWay('the compressor', compressedSizeBytes, 'this worker', receivedBytes);
    if (dumpFailure !== null) throw dumpFailure;
    if (!work.last) return;
    progress.tell();
    await limits.outside(() => input.onPhase('FINALISING'));
  }

  try {
    await mayStart;
    progress.startPart(() => dump.readBytes());
    const stored = await limits.whileMoving(progress.position, progress.tell, () =>
      storage.put(objectName, source(), {
        signal,
        segmentFolder: segmentFolder(folder, spec),
        onProgress: progress.stored,
      }),
    );
    const { sizeBytes, lastLines, failure, compressedSizeBytes, tables, objects, longestStatementBytes, warnings } =
      await dump.ended;
    const lost = failure ?? lostOnTheWay('the compressor', compressedSizeBytes, 'the storage', stored.sizeBytes);
    if (lost !== null) throw lost;
    progress.endPart(stored);
    return {
      stored,
      toolOutput: lastLines,
      warnings: warnings ?? [],
      tables,
      objects,
      counting: dump.counting,
      part: {
        name: spec.name,
        extension: spec.extension,
        objectName,
        sizeBytes,
        storedSizeBytes: stored.sizeBytes,
        checksum: stored.sha256,
        etag: stored.etag,
        segments: stored.segments,
        restoreByHand: engine.restoreByHand(spec, input.downloadCommand(objectName)),
        restoreByHandNeeds: engine.restoreByHandNeeds,
        ...(spec.characterSet === undefined ? {} : { characterSet: spec.characterSet }),
        ...(spec.tool === undefined ? {} : { tool: spec.tool }),
        ...(longestStatementBytes === undefined ? {} : { longestStatementBytes }),
      },
    };
  } catch (error) {
    tools.abort(error);
    dump.compressed.destroy();
    await failed;
    await dump.counting?.end(0);
    throw dumpFailure ?? error;
  }
}

/** Every checksum is of what arrived: that all of it did is known by counting at both ends. */
function lostOnTheWay(from: string, sentBytes: number, to: string, arrivedBytes: number): StowageError | null {
  if (sentBytes === arrivedBytes) return null;
  return new StowageError('CHECKSUM', `Of the ${sentBytes} bytes that ${from} wrote ${arrivedBytes} reached ${to}.`);
}

/** Written last, only if there is none, and compared with what the storage gives back. */
async function writeBackupDocument(input: TakeBackup, backup: TakenBackup, limits: Limits): Promise<void> {
  const { signal, moved } = limits;
  const document: BackupDocument = {
    format: 'stowage-backup',
    formatVersion: 2,
    engine: input.engine.name,
    description: input.description,
    compression: 'zstd',
    parts: backup.parts,
    inventory: backup.inventory,
    warnings: backup.warnings,
    sizeBytes: backup.sizeBytes,
    storedSizeBytes: backup.storedSizeBytes,
    finishedAt: input.now().toISOString(),
    restoreByHand: backup.parts.map((part) => part.restoreByHand),
  };
  const name = `${input.folder}${backupDocumentName}`;
  const bytes = serializeBackupDocument(document);
  moved();
  const { etag } = await input.storage.putBytes(name, bytes, { signal });
  moved();
  const readBack = await buffer(input.storage.get(name, { signal, etag }));
  if (!readBack.equals(bytes)) {
    throw new StowageError('CHECKSUM', `'${name}' reads back otherwise than it was written.`);
  }
}

type Progress = {
  readonly startPart: (readBytes: () => number) => void;
  readonly passed: (bytes: number) => void;
  readonly stored: (progress: { storedBytes: number; segments: number }) => void;
  readonly endPart: (stored: StoredObject) => void;
  /** Changes whenever a byte moved anywhere. */
  readonly position: () => number;
  readonly tell: () => void;
};

/** Adds up what the parts say. The share is of the server's own estimate of the data, so it stops short of the end. */
function trackProgress(input: TakeBackup, inventory: Inventory): Progress {
  const done = { readBytes: 0, storedBytes: 0, segments: 0 };
  let current = { storedBytes: 0, segments: 0 };
  let passedBytes = 0;
  let readBytes: () => number = () => 0;
  const { sizeBytes } = inventory;
  const tell = () => {
    const read = done.readBytes + readBytes();
    input.onProgress({
      readBytes: read,
      storedBytes: done.storedBytes + current.storedBytes,
      segments: done.segments + current.segments,
      share: sizeBytes === null || sizeBytes === 0 ? null : Math.min(0.99, read / sizeBytes),
    });
  };
  return {
    startPart: (reader) => {
      readBytes = reader;
    },
    passed: (bytes) => {
      passedBytes += bytes;
    },
    stored: (progress) => {
      current = { storedBytes: progress.storedBytes, segments: progress.segments };
    },
    endPart: (stored) => {
      done.readBytes += readBytes();
      done.storedBytes += stored.sizeBytes;
      done.segments += stored.segments.length;
      current = { storedBytes: 0, segments: 0 };
      readBytes = () => 0;
      tell();
    },
    position: () => done.readBytes + readBytes() + passedBytes + done.storedBytes + current.storedBytes,
    tell,
  };
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
