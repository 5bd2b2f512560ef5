import { usualSteps } from '../engines/pipeline/storedSteps.js';
import type { PartSpec } from '../engines/preflightReport.js';
import type { DumpContext, DumpEnd, PreparedDump, RunningDump } from '../engines/runningDump.js';
import { StowageError } from '../errors.js';
import type { StoredObject } from '../storage/storage.js';
import type { ArchivePart, TakeBackup } from './archive.js';
import type { BackupProgress } from './backupProgress.js';
import type { PartToCheck } from './checkDump.js';
import { partObject, segmentFolder } from './layout.js';
import type { Limits } from './limits.js';
import { restoreByHand, restoreByHandNeeds } from './restoreByHand.js';

/** A part that was dumped and stored, and is not verified yet. */
export type DumpedPart = PartToCheck & {
  readonly part: ArchivePart;
  readonly stored: StoredObject;
  readonly warnings: readonly string[];
};

/**
 * Dumps one part into the storage. If the dump fails, the source that the storage reads ends with an error, so the
 * object never becomes visible. Throws a StowageError with a failure code, or the reason of the context's signal.
 */
export async function storePart(
  input: TakeBackup,
  limits: Limits,
  context: DumpContext & { readonly mayStart: Promise<unknown> },
  work: {
    readonly prepared: PreparedDump;
    readonly spec: PartSpec;
    readonly progress: BackupProgress;
    readonly isLast: boolean;
  },
): Promise<DumpedPart> {
  const { storage, folder, steps = usualSteps } = input;
  const { spec, progress, isLast } = work;
  const part = { ...spec, steps: steps.map(({ name }) => name) };
  const objectName = partObject(folder, part);
  const tools = new AbortController();
  const signal = AbortSignal.any([context.signal, tools.signal]);
  const dump = await work.prepared.dump(spec, { ...context, signal });
  // The storage may be waiting for its server, so it is aborted as soon as the dump has failed.
  const failed = dump.ended.then(({ failure }) => {
    if (failure !== null) tools.abort(failure);
  });
  const source = readDump(dump, progress.passed, async () => {
    if (!isLast) return;
    progress.report();
    await limits.outside(() => input.onPhase('FINALISING'));
  });
  try {
    await context.mayStart;
    progress.startPart(() => dump.readBytes());
    const stored = await limits.whileMoving(progress.position, progress.report, () =>
      storage.put(objectName, source.bytes, {
        signal,
        segmentFolder: segmentFolder(folder, spec),
        onProgress: progress.stored,
        onAnswer: limits.moved,
      }),
    );
    const end = await dump.ended;
    const lost = end.failure ?? lostBytes(end.storedSizeBytes, 'the storage', stored.sizeBytes);
    if (lost !== null) throw lost;
    progress.endPart(stored);
    return {
      ...{ stored, spec, toolOutput: end.lastLines, warnings: end.warnings ?? [] },
      ...{ tables: end.tables, objects: end.objects, counting: dump.counting },
      part: { ...part, objectName, ...figuresOf(end, stored), ...byHand(input, part, objectName) },
    };
  } catch (error) {
    tools.abort(error);
    dump.stored.destroy();
    await failed;
    await dump.counting?.end(0);
    throw source.failure() ?? error;
  }
}

function figuresOf({ sizeBytes, longestStatementBytes }: DumpEnd, stored: StoredObject) {
  const { sizeBytes: storedSizeBytes, sha256: checksum, etag, segments, manifestBytes } = stored;
  return {
    ...(manifestBytes === undefined ? {} : { manifestBytes }),
    ...{ sizeBytes, storedSizeBytes, checksum, etag, segments },
    ...(longestStatementBytes === undefined ? {} : { longestStatementBytes }),
  };
}

function byHand({ engine, downloadCommand, steps = usualSteps }: TakeBackup, part: PartSpec, objectName: string) {
  return {
    restoreByHand: restoreByHand(engine, part, steps, downloadCommand(objectName)),
    restoreByHandNeeds: restoreByHandNeeds(engine, part, steps),
  };
}

/**
 * The bytes to store. The stream ends with an error if the dump failed or bytes were lost on the way to this process.
 */
function readDump(
  dump: RunningDump,
  passed: (bytes: number) => void,
  onEnd: () => Promise<void>,
): { readonly bytes: AsyncIterable<Uint8Array>; readonly failure: () => Error | null } {
  let failure: Error | null = null;
  async function* bytes(): AsyncIterable<Uint8Array> {
    let receivedBytes = 0;
    for await (const chunk of dump.stored) {
      receivedBytes += chunk.length;
      passed(chunk.length);
      yield chunk;
    }
    const end = await dump.ended;
    failure = end.failure ?? lostBytes(end.storedSizeBytes, 'this worker', receivedBytes);
    if (failure !== null) throw failure;
    await onEnd();
  }
  return { bytes: bytes(), failure: () => failure };
}

/** A checksum covers only the bytes that arrived. Counts at both ends show whether all bytes arrived. */
function lostBytes(sentBytes: number, receiver: string, receivedBytes: number): StowageError | null {
  if (sentBytes === receivedBytes) return null;
  return new StowageError(
    'CHECKSUM',
    `The dump wrote ${sentBytes} bytes, but only ${receivedBytes} reached ${receiver}.`,
  );
}
