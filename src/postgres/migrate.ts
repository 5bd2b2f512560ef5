import type { DataSource, QueryRunner } from 'typeorm';
import { StowageError } from '../errors.js';
import { advisoryLocks } from './advisoryLocks.js';
import { grantToAppRole } from './roles.js';

export type Migrated = { /** The names of the migrations that this call ran. */ readonly ran: readonly string[] };

/**
 * Migrates the schema and grants the program's role its privileges. `owner` is connected as the role that owns the
 * tables, with at least two connections. `appRole` is the role of the program, or the owner if there is only one role.
 * If several processes call this at the same time, each waits for the one before. Throws UNAVAILABLE and changes
 * nothing if a newer version of the program has migrated the database.
 */
export async function migrate(owner: DataSource, appRole: string): Promise<Migrated> {
  const lock = owner.createQueryRunner();
  try {
    await lock.query(`SELECT pg_advisory_lock(${advisoryLocks.migration})`);
    await refuseNewerSchema(lock, schemaStamp(owner));
    const ran = await owner.runMigrations();
    await owner.transaction((manager) => grantToAppRole(manager, appRole));
    return { ran: ran.map((migration) => migration.name) };
  } finally {
    // The pool keeps the session open, so the lock must be released explicitly.
    await lock.query(`SELECT pg_advisory_unlock(${advisoryLocks.migration})`).finally(() => lock.release());
  }
}

/** An older program cannot read the events of a newer one, and must not append any. */
async function refuseNewerSchema(queryRunner: QueryRunner, known: number): Promise<void> {
  const table = (await queryRunner.query("SELECT to_regclass('schema_migrations') AS name")) as [
    { name: string | null },
  ];
  if (table[0].name === null) return;
  const [row] = (await queryRunner.query('SELECT max("timestamp") AS newest FROM schema_migrations')) as [
    { newest: string | null },
  ];
  const newest = Number(row.newest ?? 0);
  if (newest <= known) return;
  throw new StowageError(
    'UNAVAILABLE',
    `A newer version of Stowage has migrated this database: its schema is ${newest}, and this program knows ${known}.`,
    {
      help: 'Start the version that migrated it, or a newer one. docs/upgrading.md explains how to return to an older version.',
      retriable: false,
    },
  );
}

/** The timestamp of the newest migration that this program knows. Every append sends it as the schema stamp. */
export function schemaStamp(dataSource: DataSource): number {
  // TypeORM's rule: the name of a migration's class ends in 13 digits.
  return Math.max(...dataSource.migrations.map((migration) => Number(migration.constructor.name.slice(-13))));
}
