import type { EntityManager } from 'typeorm';

/** The result of comparing the container of a file endpoint with the log of events. */
export type ContainerAudit = {
  /** When the audit ended, ISO 8601. */
  readonly at: string;
  /** The number of backups that should be there, and the number of these that are missing or incomplete. */
  readonly backups: number;
  readonly missing: number;
  /** Objects below the prefix that no attempt in the log has written. They are never deleted. */
  readonly unknownObjects: number;
  readonly unknownSizeBytes: number;
  /** The first of their names. The folder of a backup that is not in the log counts as one name. */
  readonly unknownSample: readonly string[];
  /** The bytes that failed attempts and deleted backups still had there. The audit has deleted them. */
  readonly removedSizeBytes: number;
  /** Prefixes that could not be checked completely. Older audits do not have this field. */
  readonly prefixesNotSeen?: readonly string[];
};

export type AuditProblem = { readonly code: string; readonly message: string; readonly help: string | null };

export type AuditRecord = {
  readonly fileEndpointId: string;
  readonly dueAt: Date;
  /** The number of consecutive audits that failed completely or at one of the prefixes. */
  readonly failures: number;
  /** The result of the last audit that completed at one prefix or more. Null: there is none yet. */
  readonly result: ContainerAudit | null;
  /** Why the last audit failed at a prefix, or could not delete something. */
  readonly problem: AuditProblem | null;
};

export async function saveAudit(manager: EntityManager, record: AuditRecord): Promise<void> {
  const { fileEndpointId, dueAt, failures, result, problem } = record;
  await manager.query(
    `INSERT INTO container_audits (file_endpoint_id, due_at, failures, result, problem) VALUES ($1, $2, $3, $4, $5)
     ON CONFLICT (file_endpoint_id) DO UPDATE
       SET due_at = EXCLUDED.due_at, failures = EXCLUDED.failures, result = EXCLUDED.result, problem = EXCLUDED.problem`,
    [fileEndpointId, dueAt, failures, result, problem],
  );
}

/** The batch of a loader: the audits in the order of the ids. Null: the endpoint has no audit. */
export async function findAudits(
  manager: EntityManager,
  fileEndpointIds: readonly string[],
): Promise<readonly (AuditRecord | null)[]> {
  const rows = await manager.query<AuditRecord[]>(
    `SELECT file_endpoint_id AS "fileEndpointId", due_at AS "dueAt", failures, result, problem
     FROM container_audits WHERE file_endpoint_id = ANY($1::uuid[])`,
    [fileEndpointIds],
  );
  const records = new Map(rows.map((row) => [row.fileEndpointId, row]));
  return fileEndpointIds.map((id) => records.get(id) ?? null);
}
