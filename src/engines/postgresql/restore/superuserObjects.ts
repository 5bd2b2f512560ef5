import { StowageError } from '../../../errors.js';
import { quoteName } from '../catalog/names.js';
import type { Session } from '../session/session.js';

/** Roles of managed services, whose members may create what elsewhere only a superuser may create. */
const almostSuperusers = ['rds_superuser', 'cloudsqlsuperuser', 'alloydbsuperuser', 'azure_pg_admin'];

/**
 * pg_restore would fail at these objects, perhaps after all rows were written. `objects` are those of the backup, and
 * `extensions` the names of its extensions. Throws SERVICE_PRIVILEGE.
 */
export async function refuseSuperuserObjects(
  session: Session,
  objects: readonly string[],
  extensions: readonly string[],
): Promise<void> {
  const [account] = await session.query(
    `SELECT rolname AS name, quote_ident(rolname) AS shown, rolsuper OR EXISTS (SELECT FROM pg_roles r WHERE r.rolname = ANY ($1::text[]) AND pg_has_role(current_user, r.oid, 'USAGE')) AS may
       FROM pg_roles WHERE rolname = current_user`,
    [almostSuperusers],
  );
  if (account?.['may'] === 't') return;
  const untrusted = await session.query(untrustedQuery, [extensions]);
  // The account may set the session to itself, so it can restore its own grants.
  const ownGrants = `privileges that ${account?.['shown'] ?? ''} granted on `;
  const all = [
    ...untrusted.map((row) => `extension ${row['name'] ?? ''}`),
    ...objects.filter((object) => !object.startsWith(ownGrants)),
  ];
  if (all.length === 0) return;
  const others = all.length - 20;
  const shown = others > 0 ? `${all.slice(0, 20).join(', ')} and ${others} more` : all.join(', ');
  throw new StowageError(
    'SERVICE_PRIVILEGE',
    `Only a superuser of the target may create what the backup has: ${shown}.`,
    {
      help: `Restore with a superuser, if you trust the database, because a restore runs its code: ALTER ROLE ${quoteName(account?.['name'] ?? '')} SUPERUSER;`,
      details: { objects: all.slice(0, 100) },
    },
  );
}

/** Trusted extensions exist since version 13. Every database has plpgsql from its beginning. */
const untrustedQuery = `
SELECT v.name FROM pg_available_extension_versions v JOIN pg_available_extensions x ON x.name = v.name AND x.default_version = v.version
 WHERE v.name = ANY ($1::text[]) AND v.name <> 'plpgsql' AND v.superuser AND coalesce(to_jsonb(v)->>'trusted', 'false') = 'false'
 ORDER BY v.name`;
