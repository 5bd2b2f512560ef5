import type { EntityManager } from 'typeorm';
import { jobIdsOf, prefixOfFolder } from '../../archive/layout.js';
import type { Attempt } from '../backupJob.js';
import { BackupJobTable, type BackupJobRow } from '../backupJobView.js';

/** A backup whose bytes should be in the container, or that was missed there. */
export type BackupToFind = Pick<
  BackupJobRow,
  'id' | 'projectId' | 'batchId' | 'absentSince' | 'availability' | 'parts'
> & {
  readonly folder: string;
};

const pageSize = 500;

/** The backups below one prefix of a file endpoint, in the byte order of their folders, page by page. */
export async function* backupsInNameOrder(
  manager: EntityManager,
  fileEndpointId: string,
  prefix: string,
): AsyncGenerator<BackupToFind, void, undefined> {
  for (let after = ''; ;) {
    const rows: BackupToFind[] = await manager.query(
      `SELECT id, project_id AS "projectId", batch_id AS "batchId", folder, availability, parts,
         absent_since AS "absentSince"
       FROM backup_jobs
       WHERE file_endpoint_id = $1 AND availability IN ('STORED', 'MISSING')
         AND folder COLLATE "C" > $2 AND starts_with(folder, $3)
       ORDER BY folder COLLATE "C" LIMIT $4`,
      [fileEndpointId, after, prefix, pageSize],
    );
    // An endpoint that had a longer prefix earlier may have backups below that prefix too.
    yield* rows.filter(({ folder }) => prefixOfFolder(folder) === prefix);
    const last = rows.at(-1);
    if (last === undefined || rows.length < pageSize) return;
    after = last.folder;
  }
}

/** The prefixes that hold backups of a file endpoint. An endpoint may have had another prefix before. */
export async function prefixesWithBackups(manager: EntityManager, fileEndpointId: string): Promise<readonly string[]> {
  const rows: { folder: string }[] = await manager.query(
    `SELECT DISTINCT ON (regexp_replace(folder, '([^/]*/){4}$', '')) folder FROM backup_jobs
     WHERE file_endpoint_id = $1 AND availability IN ('STORED', 'MISSING')`,
    [fileEndpointId],
  );
  return [...new Set(rows.map(({ folder }) => prefixOfFolder(folder)))];
}

/** The job and the attempt that wrote to a folder according to the read model. Undefined: no attempt wrote to it. */
export async function attemptOfFolder(
  manager: EntityManager,
  {
    name,
    jobShortId,
    attempt: number,
  }: { readonly name: string; readonly jobShortId: string; readonly attempt: number },
): Promise<{ readonly row: BackupJobRow; readonly attempt: Attempt } | undefined> {
  const [first, last] = jobIdsOf(jobShortId);
  const rows = await manager
    .createQueryBuilder(BackupJobTable, 'job')
    .where('job.id BETWEEN :first AND :last', { first, last })
    .getMany();
  for (const row of rows) {
    const attempt = row.attempts.find((each) => each.number === number && each.folder === name);
    if (attempt !== undefined) return { row, attempt };
  }
  return undefined;
}
