import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Changes warnings of restores to the wording of the current code, so that the read model equals a rebuild from the
 * log.
 */
const rewordings = [
  ['Drop it there, then restore again.', 'Drop it there before you restore it again.'],
  ['Drop them there, then restore again.', 'Drop them there before you restore them again.'],
  [
    'Drop the databases that were restored, then restore again.',
    'Drop the databases that were restored before you restore them again.',
  ],
] as const;

export class RestoreWarnings1700000000201 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    for (const [before, after] of rewordings) {
      await queryRunner.query(
        `UPDATE restore_jobs SET warnings = replace(warnings::text, $1, $2)::jsonb WHERE strpos(warnings::text, $1) > 0`,
        [before, after],
      );
    }
  }

  /** Nothing to undo: both wordings have the same meaning. */
  async down(): Promise<void> {}
}
