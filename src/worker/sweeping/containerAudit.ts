import { foldersBelow, type FoundFolder, type FoundInContainer } from '../../archive/containerFolders.js';
import { isStored } from '../../archive/isStored.js';
import { prefixOfFolder } from '../../archive/layout.js';
import type { ContainerAudit, AuditProblem } from '../../endpoints/containerAudit.js';
import { refuseForeignPrefix } from '../../endpoints/installationMarker.js';
import { StowageError } from '../../errors.js';
import { backupJob } from '../../backups/backupJob.js';
import {
  attemptOfFolder,
  backupsInNameOrder,
  prefixesWithBackups,
  type BackupToFind,
} from '../../backups/location/backupsInContainer.js';
import type { Storage } from '../../storage/storage.js';
import { deleteAttemptFolder } from './attemptFolder.js';
import { isOutage } from '../persist.js';
import { removeRemains } from './remains.js';
import type { WorkerTools } from '../workerTools.js';

const sampleSize = 10;
const deletionMs = 10 * 60_000;

export type AuditOutcome = {
  readonly audit: ContainerAudit;
  /** A backup was not there for the first time, and is to be looked for again. */
  readonly lookAgain: boolean;
  /** Why something that should have been deleted was not, or why a prefix could not be looked at. */
  readonly problem: AuditProblem | null;
};

/**
 * Compares what lies below the prefixes of a file endpoint with the log of events, in one pass over both in name order:
 * - a backup that is not there, or not whole, is reported absent, and one that was missed and is there is found again;
 * - what an attempt that ended otherwise, or a backup that was deleted, has there again is deleted: a worker that was
 *   lost may have written it long after; the sweeper's own work is left to it;
 * - what the log does not know is told and never deleted, and a running attempt's folder is left alone.
 * A prefix at which the container does not answer, that is another installation's or is not mounted says nothing of what
 * lies below it and keeps no other from being looked at. Throws where that is so of all of them. What was found until then
 * is said all the same.
 */
export async function auditContainer(
  tools: WorkerTools,
  fileEndpointId: string,
  signal: AbortSignal,
): Promise<AuditOutcome> {
  const { storage, prefix } = await tools.storageOf(fileEndpointId);
  try {
    const audit = new Audit(tools, fileEndpointId, storage, signal);
    const earlier = await prefixesWithBackups(tools.dataSource.manager, fileEndpointId);
    const prefixes = new Set([prefix, ...earlier]);
    for (const each of prefixes) await audit.lookAt(each);
    return audit.outcome(prefixes.size);
  } finally {
    await storage.close();
  }
}

class Audit {
  #backups = 0;
  #missing = 0;
  #unknownObjects = 0;
  #unknownSizeBytes = 0;
  #removedSizeBytes = 0;
  #lookAgain = false;
  #problem: AuditProblem | null = null;
  readonly #sample: string[] = [];
  readonly #unseen: { readonly prefix: string; readonly error: unknown }[] = [];

  constructor(
    private readonly tools: WorkerTools,
    private readonly fileEndpointId: string,
    private readonly storage: Storage,
    private readonly signal: AbortSignal,
  ) {}

  async lookAt(prefix: string): Promise<void> {
    try {
      await this.#compareBelow(prefix);
    } catch (error) {
      this.signal.throwIfAborted();
      if (isOutage(error)) throw error;
      this.#unseen.push({ prefix, error });
      const { fileEndpointId } = this;
      this.tools.log.warn({ err: error, fileEndpointId, prefix }, 'A prefix of a container could not be looked at');
    }
  }

  async #compareBelow(prefix: string): Promise<void> {
    const { tools, storage, signal } = this;
    await refuseForeignPrefix(storage, prefix, tools.installationId, signal);
    const backups = backupsInNameOrder(tools.dataSource.manager, this.fileEndpointId, prefix);
    let expected = await backups.next();
    for await (const found of foldersBelow(storage, prefix, signal)) {
      signal.throwIfAborted();
      while (expected.done !== true && isBefore(expected.value.folder, found.name)) {
        await this.#lookFor(expected.value);
        expected = await backups.next();
      }
      if (expected.done !== true && expected.value.folder === found.name && found.kind === 'FOLDER') {
        await this.#compare(expected.value, found);
        expected = await backups.next();
      } else await this.#judge(found);
    }
    for (; expected.done !== true; expected = await backups.next()) await this.#lookFor(expected.value);
  }

  /** `prefixes`: how many were to be looked at. */
  outcome(prefixes: number): AuditOutcome {
    const [first] = this.#unseen;
    if (first !== undefined && this.#unseen.length === prefixes) throw first.error;
    return {
      audit: {
        at: this.tools.now().toISOString(),
        backups: this.#backups,
        missing: this.#missing,
        unknownObjects: this.#unknownObjects,
        unknownSizeBytes: this.#unknownSizeBytes,
        unknownSample: this.#sample,
        removedSizeBytes: this.#removedSizeBytes,
        prefixesNotSeen: this.#unseen.map(({ prefix }) => prefix),
      },
      lookAgain: this.#lookAgain,
      problem: first === undefined ? this.#problem : notSeen(first),
    };
  }

  /**
   * The listing has told enough where every part and every segment is in it; else each is looked at by itself, and so is
   * what was missed before: a listing may go on showing what is gone.
   */
  async #compare(backup: BackupToFind, found: FoundFolder): Promise<void> {
    if (backup.absentSince !== null) return this.#lookFor(backup);
    const bytes = backup.parts.reduce((sum, part) => sum + part.storedSizeBytes, 0);
    const hasSegments = this.storage.kind === 'SWIFT';
    const isWhole =
      found.hasDocument && found.partsBytes === bytes && (!hasSegments || found.segmentsBytes === found.partsBytes);
    if (!isWhole) return this.#lookFor(backup);
    this.#backups += 1;
    await this.#report(backup, true);
  }

  /** Object by object: a listing may lag behind, and the backup may have been stored after it. */
  async #lookFor(backup: BackupToFind): Promise<void> {
    const isThere = await isStored(this.storage, backup, this.signal);
    if (!isThere) {
      // A disk that was unmounted in the meantime says nothing about the backup.
      await refuseForeignPrefix(this.storage, prefixOfFolder(backup.folder), this.tools.installationId, this.signal);
      this.#missing += 1;
    }
    this.#backups += 1;
    await this.#report(backup, isThere);
  }

  async #report({ id, projectId, batchId, absentSince, availability }: BackupToFind, isThere: boolean): Promise<void> {
    const isNews = isThere ? absentSince !== null : availability === 'STORED';
    if (!isNews) return;
    const { tools } = this;
    const kind = isThere ? 'REPORT_PRESENT' : 'REPORT_ABSENT';
    const metadata = { actor: `worker:${tools.workerId}`, correlationId: batchId };
    const { state } = await tools.store.transact(metadata, (tx) =>
      tx.execute(backupJob, { id, projectId }, { kind, at: tools.now().toISOString() }),
    );
    if (!isThere && state.status === 'SUCCEEDED' && state.availability === 'STORED') this.#lookAgain = true;
  }

  /** What lies there and is no backup that should. */
  async #judge(found: FoundInContainer): Promise<void> {
    if (found.kind === 'OBJECT') {
      this.#tellUnknown(found.name, 1, found.sizeBytes);
      return;
    }
    const known = await attemptOfFolder(this.tools.dataSource.manager, found);
    if (known === undefined) {
      this.#tellUnknown(found.name, found.objects, found.sizeBytes);
      return;
    }
    const { row, attempt } = known;
    // Of another endpoint that leads to the same place: its own audit sees to it.
    if (row.fileEndpointId !== this.fileEndpointId || attempt.outcome === null) return;
    if (attempt.outcome === 'SUCCEEDED') {
      if (row.availability !== 'DELETED') return;
      const { fileEndpointId } = row;
      return this.#remove(found, (signal) =>
        deleteAttemptFolder(this.tools, { fileEndpointId, folder: found.name }, signal),
      );
    }
    if (row.attemptsWithRemains.includes(attempt.number)) return;
    const { id: jobId, projectId, batchId, fileEndpointId } = row;
    const remains = { jobId, projectId, batchId, fileEndpointId, attempt };
    await this.#remove(found, (signal) => removeRemains(this.tools, remains, signal));
  }

  #tellUnknown(name: string, objects: number, sizeBytes: number): void {
    this.#unknownObjects += objects;
    this.#unknownSizeBytes += sizeBytes;
    if (this.#sample.length < sampleSize) this.#sample.push(name);
  }

  async #remove(found: FoundFolder, remove: (signal: AbortSignal) => Promise<unknown>): Promise<void> {
    try {
      await remove(AbortSignal.any([this.signal, AbortSignal.timeout(deletionMs)]));
      this.#removedSizeBytes += found.sizeBytes;
    } catch (error) {
      this.signal.throwIfAborted();
      this.#problem ??= auditProblem(error);
      this.tools.log.warn(
        { err: error, fileEndpointId: this.fileEndpointId, folder: found.name },
        'What an attempt has left again could not be deleted; the next audit tries again',
      );
    }
  }
}

export function auditProblem(error: unknown): AuditProblem {
  if (error instanceof StowageError) return { code: error.code, message: error.message, help: error.help };
  return { code: 'INTERNAL', message: 'The audit ended with an error that Stowage does not know.', help: null };
}

function notSeen({ prefix, error }: { readonly prefix: string; readonly error: unknown }): AuditProblem {
  const problem = auditProblem(error);
  const where = prefix === '' ? 'The place without a prefix' : `The prefix "${prefix}"`;
  return { ...problem, message: `${where} could not be looked at. ${problem.message}` };
}

/** Object storages list names in the order of their bytes. */
function isBefore(one: string, other: string): boolean {
  return Buffer.compare(Buffer.from(one), Buffer.from(other)) < 0;
}
