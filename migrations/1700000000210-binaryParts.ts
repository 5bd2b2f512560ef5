import type { MigrationInterface } from 'typeorm';

/**
 * Changes no table. Parts may be dumped over a binary connection since then, which older programs would restore over one
 * in utf8mb4: the schema's new stamp refuses their appends, so that they fail before a restore tool starts.
 */
export class BinaryParts1700000000210 implements MigrationInterface {
  async up(): Promise<void> {}

  async down(): Promise<void> {}
}
