import { Client, escapeIdentifier, escapeLiteral } from 'pg';
import type { EntityManager } from 'typeorm';
import type { Secret } from '../secret.js';

/**
 * Creates the roles of the program if they are missing, and sets their passwords. It is for servers where we may create
 * roles. On a managed server the operator creates the role, and `migrate` grants its privileges.
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
 * Lets the program's role read and write all tables of the owner, including later ones. The role may only read the log,
 * the list of migrations and the installation's id, and appends events with the function append_events. Idempotent.
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

/**
 * This is not `ALL TABLES`, because managed servers have views of other owners in the schema, which we may not grant.
 */
async function ownTables(manager: EntityManager): Promise<string> {
  const rows = await manager.query<{ tablename: string }[]>(
    `SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tableowner = current_user`,
  );
  return rows.map(({ tablename }) => escapeIdentifier(tablename)).join(', ');
}
