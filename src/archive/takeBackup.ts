import type { EngineContext } from '../engines/engineContext.js';
import { usualSteps } from '../engines/pipeline/storedSteps.js';
import type { PreparedDump } from '../engines/runningDump.js';
import type { TakeBackup, TakenBackup } from './archive.js';
import { trackBackupProgress } from './backupProgress.js';
import { checkDump, countingAfter } from './checkDump.js';
import { lockWaitMs, withinLimits, type Limits } from './limits.js';
import { withLongestStatements } from './longestStatements.js';
import { storePart, type DumpedPart } from './storePart.js';
import { writeBackupDocument } from './writeBackupDocument.js';

/**
 * The only way to a successful backup. It returns only if every dump tool ended with 0 and its stream was complete, the
 * storage confirmed the stored bytes and returned them, and backup.json was written last and read back. Otherwise it
 * throws a StowageError with a failure code, or the reason of `signal`. By then all our tools have ended. The objects
 * that were stored before the failure stay in `folder`, without a backup.json.
 */
export async function takeBackup(input: TakeBackup): Promise<TakenBackup> {
  return withinLimits(input, (limits) => take(input, limits));
}

async function take(input: TakeBackup, limits: Limits): Promise<TakenBackup> {
  const { storage } = input;
  const { signal, moved } = limits;
  const context: EngineContext = {
    ...{ workFolder: input.workFolder, signal, onAnswer: moved },
    lockPatienceMs: input.lockPatienceMs ?? null,
    lockWaitMs: lockWaitMs(input.stallTimeoutMs),
  };
  await limits.outside(() => input.onPhase('PREFLIGHT'));
  const prepared = await prepare(input, context);
  const { report } = prepared;
  const { dumped, dumpMs } = await dumpParts(input, limits, context, prepared).finally(() => prepared.close());
  try {
    await limits.outside(() => input.onPhase('VERIFYING'));
    for (const { part, stored } of dumped) {
      await storage.verify(part.objectName, stored, { signal, onAnswer: moved });
      moved();
    }
    const work = { before: report.inventory, parts: dumped, countingMs: countingAfter(dumpMs) };
    const checked = await checkDump(input, limits, context, work);
    const parts = dumped.map(({ part }) => part);
    const inventory = withLongestStatements(checked.inventory, dumped);
    const review = await limits.outside(async () => input.review?.(inventory));
    const backup = {
      folder: input.folder,
      parts,
      inventory,
      warnings: [
        ...report.warnings,
        ...(input.includeUsers === 'WITH_PASSWORD_HASHES' && inventory.accounts === undefined
          ? ['The backup contains no hashes of passwords, although its plan asks for them.']
          : []),
        ...dumped.flatMap(({ warnings }) => warnings),
        ...dumped.flatMap(({ toolOutput }) => (toolOutput === '' ? [] : [`The dump tool reported: ${toolOutput}`])),
        ...checked.warnings,
        ...(review?.warnings ?? []),
      ],
      sizeBytes: sum(parts.map((part) => part.sizeBytes)),
      storedSizeBytes: sum(parts.map((part) => part.storedSizeBytes)),
      ...(review?.changes ? { changes: review.changes } : {}),
    };
    const written = await writeBackupDocument(input, backup, limits);
    return { ...backup, inventory: written.inventory, warnings: written.warnings };
  } finally {
    await endCounting(dumped);
  }
}

/**
 * Checks the server and the storage at once. If one of them refuses, the check of the other is aborted and the refusal
 * is thrown.
 */
async function prepare(
  { engine, connection, mayStore, steps = usualSteps, includeUsers = 'NONE' }: TakeBackup,
  context: EngineContext,
): Promise<PreparedDump> {
  const refused = new AbortController();
  const signal = AbortSignal.any([context.signal, refused.signal]);
  const preparing = engine.prepareDump(connection, { ...context, signal, steps, includeUsers });
  const checks = [preparing, mayStore?.(signal) ?? Promise.resolve()];
  for (const each of checks) each.catch((error: unknown) => refused.abort(error));
  await Promise.allSettled(checks);
  if (refused.signal.aborted) {
    await preparing.then(
      (prepared) => prepared.close(),
      () => undefined,
    );
    refused.signal.throwIfAborted();
  }
  return preparing;
}

/** Each part is prepared while the phase is recorded. The dump tool starts after both. */
async function dumpParts(
  input: TakeBackup,
  limits: Limits,
  context: EngineContext,
  prepared: PreparedDump,
): Promise<{ readonly dumped: readonly DumpedPart[]; readonly dumpMs: number }> {
  const { inventory, parts } = prepared.report;
  const mayStart = limits.outside(() => input.onPhase('DUMPING'));
  // Each dump awaits the promise; this only prevents an unhandled rejection.
  mayStart.catch(() => undefined);
  const progress = trackBackupProgress(input, inventory);
  const dumped: DumpedPart[] = [];
  const begin = performance.now();
  try {
    for (const [index, spec] of parts.entries()) {
      const isLast = index === parts.length - 1;
      dumped.push(await storePart(input, limits, { ...context, mayStart }, { prepared, spec, progress, isLast }));
    }
  } catch (error) {
    await endCounting(dumped);
    throw error;
  } finally {
    // The first part may fail before the phase was recorded. So this waits for the record, because nothing may be
    // recorded after the end of the attempt.
    await mayStart;
  }
  return { dumped, dumpMs: performance.now() - begin };
}

async function endCounting(dumped: readonly DumpedPart[]): Promise<void> {
  await Promise.all(dumped.map(async ({ counting }) => counting?.end(0)));
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
