import { Client, escapeIdentifier, escapeLiteral } from 'pg';
import type { EntityManager } from 'typeorm';
import type { Secret } from '../secret.js';

/**
 * Makes sure the role the program works as exists and may connect. For servers where we may create roles; on a managed
 * one the operator makes it and `migrate` grants. With `password` that becomes the role's password.
 */
export async function prepareRoles(options: {
  /** A role that may create roles. */
  readonly adminUrl: string;
  readonly roles: readonly { readonly name: string; readonly password: Secret }[];
}): Promise<void> {
  const client = new Client({ connectionString: options.adminUrl });
  await client.connect();
  try {
    for (const { name, password } of options.roles) {
      const found = await client.query('SELECT FROM pg_roles WHERE rolname = $1', [name]);
      const verb = found.rowCount === 0 ? 'CREATE' : 'ALTER';
      await client.query(`${verb} ROLE ${escapeIdentifier(name)} LOGIN PASSWORD ${escapeLiteral(password.reveal())}`);
    }
  } finally {
    await client.end();
  }
}

/**
 * The program's role reads and writes the tables of the owner, these and later ones, except that it may only read the
 * log, what was migrated and who we are, and append through the one function. Idempotent.
 */
export async function grantToAppRole(manager: EntityManager, appRole: string): Promise<void> {
  const [{ owner }] = await manager.query<[{ owner: string }]>('SELECT current_user AS owner');
  if (owner === appRole) return;
  const app = escapeIdentifier(appRole);
  const tables = await ownTables(manager);
  await manager.query(`
    GRANT USAGE ON SCHEMA public TO ${app};
    GRANT SELECT, INSERT, UPDATE, DELETE ON ${tables} TO ${app};
    GRANT USAGE ON SEQUENCE job_queue_turns TO ${app};
    REVOKE INSERT, UPDATE, DELETE ON events, schema_migrations, installation FROM ${app};
    GRANT EXECUTE ON FUNCTION append_events(bigint, json) TO ${app};
    GRANT USAGE, CREATE ON SCHEMA alarms TO ${app};
    ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO ${app};
    ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT USAGE ON SEQUENCES TO ${app};
  `);
}

/** Not `ALL TABLES`: managed servers keep views of others in the schema, which we may not grant. */
async function ownTables(manager: EntityManager): Promise<string> {
  const rows = await manager.query<{ tablename: string }[]>(
    `SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tableowner = current_user`,
  );
  return rows.map(({ tablename }) => escapeIdentifier(tablename)).join(', ');
}
