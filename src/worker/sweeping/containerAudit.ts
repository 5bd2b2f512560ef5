import { foldersBelow, isBefore, type FoundFolder, type FoundInContainer } from '../../archive/containerFolders.js';
import { isStored } from '../../archive/isStored.js';
import { prefixOfFolder } from '../../archive/layout.js';
import { refuseForeignPrefix } from '../../endpoints/installationMarker.js';
import { refuseUnlessOurs } from '../../endpoints/prefixMarks.js';
import { backupJob } from '../../backups/backupJob.js';
import {
  attemptOfFolder,
  backupsInNameOrder,
  prefixesWithBackups,
  type BackupToFind,
} from '../../backups/location/backupsInContainer.js';
import type { Storage } from '../../storage/storage.js';
import { isOutage } from '../persist.js';
import { metadataOf, type WorkerTools } from '../workerTools.js';
import { deleteAttemptFolder } from './attemptFolder.js';
import { AuditFindings, type AuditOutcome } from './auditFindings.js';
import { removeRemains } from './remains.js';

const deletionMs = 10 * 60_000;

/**
 * Compares the objects below the prefixes of a file endpoint with the log of events, in one pass over both in name
 * order:
 * - A backup that is missing or incomplete is reported absent. An absent backup that is found again is reported
 *   present.
 * - A failed attempt or a deleted backup may have objects or unfinished uploads there again, because a lost worker can
 *   write much later. They are deleted. Objects that the sweeper will delete are left to it.
 * - Objects that the log does not know are reported and never deleted. The folder of a running attempt is not changed. A prefix
 *   is skipped when the container does not answer, when it belongs to another installation, or when its disk is not
 *   mounted: the audit then shows nothing about its backups. Throws when every prefix is skipped. Earlier reports of the audit are kept.
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
    for (const each of prefixes) await audit.checkPrefix(each);
    return audit.findings.outcome(tools.now(), prefixes.size);
  } finally {
    await storage.close();
  }
}

class Audit {
  readonly findings = new AuditFindings();

  constructor(
    private readonly tools: WorkerTools,
    private readonly fileEndpointId: string,
    private readonly storage: Storage,
    private readonly signal: AbortSignal,
  ) {}

  async checkPrefix(prefix: string): Promise<void> {
    try {
      await this.#compareBelow(prefix);
    } catch (error) {
      this.signal.throwIfAborted();
      if (isOutage(error)) throw error;
      this.findings.addFailedPrefix(prefix, error);
      const { fileEndpointId } = this;
      this.tools.log.warn({ err: error, fileEndpointId, prefix }, 'A prefix of a container could not be checked');
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
        await this.#checkObjects(expected.value);
        expected = await backups.next();
      }
      if (expected.done !== true && expected.value.folder === found.name && found.kind === 'FOLDER') {
        await this.#checkFolder(expected.value, found);
        expected = await backups.next();
      } else await this.#checkUnexpected(found);
    }
    for (; expected.done !== true; expected = await backups.next()) await this.#checkObjects(expected.value);
  }

  /**
   * If the listing contains every part and every segment, the backup is present. Otherwise, or if the backup was absent
   * before, each object is checked separately, because a listing may still show deleted objects.
   */
  async #checkFolder(backup: BackupToFind, found: FoundFolder): Promise<void> {
    if (found.uploads.length > 0) await this.#abortUploads(found);
    const bytes = backup.parts.reduce((sum, part) => sum + part.storedSizeBytes, 0);
    const isWhole =
      backup.absentSince === null &&
      found.hasDocument &&
      found.partsBytes === bytes &&
      (!this.storage.listsSegments || found.segmentsBytes === found.partsBytes) &&
      found.manifestBytes === backup.parts.reduce((sum, part) => sum + (part.manifestBytes ?? 0), 0);
    if (!isWhole) return this.#checkObjects(backup);
    this.findings.addBackup(true);
    await this.#report(backup, true);
  }

  /**
   * Each object is checked separately, because a listing may lag behind, and the backup may have been stored after it.
   */
  async #checkObjects(backup: BackupToFind): Promise<void> {
    const isThere = await isStored(this.storage, backup, this.signal);
    // If the disk was unmounted meanwhile, the result of the check is not valid.
    if (!isThere) {
      await refuseForeignPrefix(this.storage, prefixOfFolder(backup.folder), this.tools.installationId, this.signal);
    }
    this.findings.addBackup(isThere);
    await this.#report(backup, isThere);
  }

  async #report({ id, projectId, batchId, absentSince, availability }: BackupToFind, isThere: boolean): Promise<void> {
    const isNews = isThere ? absentSince !== null : availability === 'STORED';
    if (!isNews) return;
    const { tools } = this;
    const kind = isThere ? 'REPORT_PRESENT' : 'REPORT_ABSENT';
    const metadata = metadataOf(tools, batchId);
    const { state } = await tools.store.transact(metadata, (tx) =>
      tx.execute(backupJob, { id, projectId }, { kind, at: tools.now().toISOString() }),
    );
    if (!isThere && state.status === 'SUCCEEDED' && state.availability === 'STORED') this.findings.requestSecondCheck();
  }

  async #checkUnexpected(found: FoundInContainer): Promise<void> {
    if (found.kind === 'OBJECT') {
      this.findings.addUnknown(found.name, 1, found.sizeBytes);
      return;
    }
    const known = await attemptOfFolder(this.tools.dataSource.manager, found);
    if (known === undefined) {
      this.findings.addUnknown(found.name, found.objects + found.uploads.length, found.sizeBytes);
      return;
    }
    const { row, attempt } = known;
    // Another endpoint with the same place has its own audit.
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

  /**
   * The attempt has succeeded, so it uploads nothing any more. These uploads were started by a request whose answer was
   * lost.
   */
  async #abortUploads({ name, uploads }: FoundFolder): Promise<void> {
    const sizeBytes = uploads.reduce((sum, upload) => sum + upload.sizeBytes, 0);
    const abortAll = async (signal: AbortSignal): Promise<void> => {
      await refuseUnlessOurs(this.tools, this.storage, prefixOfFolder(name), signal);
      for (const upload of uploads) await this.storage.abortUpload(upload, { signal });
    };
    await this.#remove({ name, sizeBytes }, abortAll);
  }

  async #remove(
    { name, sizeBytes }: Pick<FoundFolder, 'name' | 'sizeBytes'>,
    remove: (signal: AbortSignal) => Promise<unknown>,
  ): Promise<void> {
    try {
      await remove(AbortSignal.any([this.signal, AbortSignal.timeout(deletionMs)]));
      this.findings.addRemoved(sizeBytes);
    } catch (error) {
      this.signal.throwIfAborted();
      this.findings.addFailedRemoval(error);
      this.tools.log.warn(
        { err: error, fileEndpointId: this.fileEndpointId, folder: name },
        'New remains of an attempt could not be deleted; the next audit tries again',
      );
    }
  }
}
