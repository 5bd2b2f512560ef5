import type { MigrationInterface } from 'typeorm';

/**
 * Changes no table. Since this version parts may be dumped over a binary connection. Older programs would restore them over
 * a connection in utf8mb4. The new stamp of the schema refuses their appends, so they fail before a restore tool starts.
 */
export class BinaryParts1700000000210 implements MigrationInterface {
  async up(): Promise<void> {}

  async down(): Promise<void> {}
}
