import type { MigrationInterface, QueryRunner } from 'typeorm';
import type { JobError } from '../src/jobs/attempt.js';
import { errorOfOld, warningOfOld } from '../src/jobs/errorsOfOld.js';

type Row = {
  readonly id: string;
  readonly error: JobError | null;
  readonly attempts: readonly { readonly error: JobError | null }[];
  readonly warnings: readonly string[];
};

const batch = 500;

/**
 * Errors and warnings of jobs contained output of tools and servers, including rows of customers' tables. Upcasters remove it
 * from old events when they are read. This migration removes it from the read models in the same way, so that they equal a
 * rebuild.
 */
export class ErrorsWithoutData1700000000230 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    for (const table of ['backup_jobs', 'restore_jobs']) await clear(queryRunner, table);
  }

  /** The removed text cannot be restored. */
  async down(): Promise<void> {}
}

async function clear(queryRunner: QueryRunner, table: string): Promise<void> {
  let last = '00000000-0000-0000-0000-000000000000';
  for (;;) {
    const rows = (await queryRunner.query(
      `SELECT id, error, attempts, warnings FROM ${table}
       WHERE id > $1 AND (error IS NOT NULL OR jsonb_path_exists(attempts, '$[*].error.code')
         OR warnings::text LIKE '%The dump tool said:%')
       ORDER BY id LIMIT ${batch}`,
      [last],
    )) as readonly Row[];
    for (const { id, error, attempts, warnings } of rows) {
      const cleared = attempts.map((attempt) => ({ ...attempt, error: clearedError(attempt.error) }));
      await queryRunner.query(`UPDATE ${table} SET error = $2, attempts = $3, warnings = $4 WHERE id = $1`, [
        ...[id, clearedError(error), JSON.stringify(cleared), JSON.stringify(warnings.map(warningOfOld))],
      ]);
      last = id;
    }
    if (rows.length < batch) return;
  }
}

function clearedError(error: JobError | null): JobError | null {
  return error === null ? null : errorOfOld(error);
}
