import type { EntityManager } from 'typeorm';

/** How the container of a file endpoint was found to be, compared with the log of events. */
export type ContainerAudit = {
  /** When it ended; ISO 8601. */
  readonly at: string;
  /** Backups that should be there, and how many of them are not, or not whole. */
  readonly backups: number;
  readonly missing: number;
  /** Objects below the prefix that no attempt in the log has written: they are never deleted. */
  readonly unknownObjects: number;
  readonly unknownSizeBytes: number;
  /** The first names of them; a folder of a backup that is not in the log stands for all in it. */
  readonly unknownSample: readonly string[];
  /** What attempts without a backup, and backups that were deleted, still had there, and is deleted now. */
  readonly removedSizeBytes: number;
  /** Where the container could not be looked at, or not to the end. Absent in audits of old. */
  readonly prefixesNotSeen?: readonly string[];
};

export type AuditProblem = { readonly code: string; readonly message: string; readonly help: string | null };

export type AuditRecord = {
  readonly fileEndpointId: string;
  readonly dueAt: Date;
  /** Audits in a row that did not come to an end, or not at every prefix. */
  readonly failures: number;
  /** Of the last one that came to an end at one prefix at least; null: there was none yet. */
  readonly result: ContainerAudit | null;
  /** Why the last one did not come to an end at every prefix, or why it could not delete what it should. */
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

/** In the order of the ids, null for an endpoint that was not audited yet: the batch of a loader. */
export async function findAudits(
  manager: EntityManager,
  fileEndpointIds: readonly string[],
): Promise<readonly (AuditRecord | null)[]> {
  const rows: { file_endpoint_id: string; due_at: Date; failures: number; result: unknown; problem: unknown }[] =
    await manager.query('SELECT * FROM container_audits WHERE file_endpoint_id = ANY($1::uuid[])', [fileEndpointIds]);
  const records = new Map(
    rows.map(({ file_endpoint_id: fileEndpointId, due_at: dueAt, failures, result, problem }) => [
      fileEndpointId,
      {
        fileEndpointId,
        dueAt,
        failures,
        result: result as ContainerAudit | null,
        problem: problem as AuditProblem | null,
      },
    ]),
  );
  return fileEndpointIds.map((id) => records.get(id) ?? null);
}
