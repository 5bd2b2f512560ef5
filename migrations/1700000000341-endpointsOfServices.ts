import type { MigrationInterface, QueryRunner } from 'typeorm';

/** File endpoints record the service that they were created from, and the endpoints that a service uses are found quickly. */
export class EndpointsOfServices1700000000341 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      ALTER TABLE file_endpoints ADD service_id uuid;
      CREATE INDEX file_endpoints_of_service ON file_endpoints (service_id) WHERE service_id IS NOT NULL;
      CREATE INDEX backup_jobs_of_service_at_endpoint ON backup_jobs (service_id, file_endpoint_id);
    `);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      DROP INDEX backup_jobs_of_service_at_endpoint;
      ALTER TABLE file_endpoints DROP service_id;
    `);
  }
}
