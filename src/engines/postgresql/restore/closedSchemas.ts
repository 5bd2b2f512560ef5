import { StowageError } from '../../../errors.js';
import type { Session } from '../session/session.js';

/**
 * pg_restore gives an object to its owner before it grants privileges on the schema. For an account that is no superuser the
 * server then refuses an owner who does not own the schema, unless it is a superuser or the account itself. `creators` are JSON arrays of a role, a schema and the role that
 * owns the schema. Throws SERVICE_PRIVILEGE.
 */
export async function refuseClosedSchemas(session: Session, creators: readonly string[]): Promise<void> {
  // Up to version 14 everyone may create objects in the schema public of a new database.
  const rows = await session.query(
    `SELECT each->>0 AS role, each->>1 AS schema, each->>2 AS owner
       FROM unnest($1::text[]) AS text CROSS JOIN LATERAL (SELECT text::json AS each) AS parsed
      WHERE NOT (SELECT rolsuper FROM pg_roles WHERE rolname = current_user)
        AND NOT (each->>1 = 'public' AND ${session.version.major < 15})
        AND each->>0 <> current_user
        AND NOT EXISTS (SELECT FROM pg_roles r WHERE r.rolname = each->>0 AND r.rolsuper)
        AND NOT EXISTS (SELECT FROM pg_roles role, pg_roles owner
                         WHERE role.rolname = each->>0 AND owner.rolname = each->>2 AND pg_has_role(role.oid, owner.oid, 'USAGE'))
      ORDER BY 1, 2`,
    [creators],
  );
  const [first] = rows;
  if (first === undefined) return;
  const shown = rows
    .slice(0, 10)
    .map((row) => `objects of ${row['role'] ?? ''} in the schema ${row['schema'] ?? ''} of ${row['owner'] ?? ''}`);
  const more = rows.length > 10 ? ` and ${rows.length - 10} more` : '';
  throw new StowageError(
    'SERVICE_PRIVILEGE',
    `Only a superuser of the target can restore objects whose owner does not own their schema: ${shown.join(', ')}${more}.`,
    {
      help: 'Restore with a superuser, if you trust the database, because a restore runs its code. Or make each of these roles a member of the owner of the schema on the target (GRANT … TO …), and end the membership after the restore.',
      details: { objects: shown },
    },
  );
}
