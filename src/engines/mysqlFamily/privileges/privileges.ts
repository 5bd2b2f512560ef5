import { StowageError } from '../../../errors.js';
import type { Inventory } from '../../inventory.js';
import type { Programs } from '../catalog/catalog.js';
import { parseGrants, quoteName, type Grants } from './grants.js';
import { lackingOnEverything } from '../restoreChecks/programs.js';
import type { Target } from '../restoreChecks/target.js';
import type { Session } from '../session/session.js';

/** The privileges of this session's user, including those of active roles. */
export async function readGrants(session: Session): Promise<Grants> {
  const rows = await session.dialect.showGrants(session);
  return parseGrants(rows.map((row) => Object.values(row)[0] ?? ''));
}

/**
 * Throws SERVICE_PRIVILEGE. The error names the privileges that are missing for a complete dump, and the statement that
 * grants them.
 */
export async function refuseMissingDumpPrivileges(session: Session, catalog: Programs, grants: Grants): Promise<void> {
  const lacking = new Map<string, readonly string[]>();
  let routinesHidden = false;
  for (const { name } of catalog.databases) {
    const needed = ['SELECT', 'TRIGGER', 'EVENT'];
    if (catalog.views.some((view) => view.database === name)) needed.push('SHOW VIEW');
    const missing = needed.filter((privilege) => !grants.holds(privilege, name));
    if (missing.length > 0) lacking.set(name, missing);
    routinesHidden ||= !session.dialect.readsRoutines(grants) && hidesRoutines(catalog, grants, name);
  }
  if (lacking.size === 0 && !routinesHidden) return;
  await refuse(session, lacking, routinesHidden ? [session.dialect.routinesPrivilege] : [], 'a complete dump');
}

/**
 * A user with any privilege on routines of a database sees that they exist. Only a user with SELECT on mysql.proc sees
 * the bodies of routines that other users own. Without these privileges, a dump without routines would look complete.
 */
function hidesRoutines(catalog: Programs, grants: Grants, database: string): boolean {
  const seesNames = ['EXECUTE', 'CREATE ROUTINE', 'ALTER ROUTINE'].some((privilege) =>
    grants.holds(privilege, database),
  );
  const routines = catalog.routines.filter((routine) => routine.database === database);
  return !seesNames || routines.some(({ bodyVisible }) => !bodyVisible);
}

/** Throws SERVICE_PRIVILEGE naming the privileges that are missing for the restore of the inventory. */
export async function refuseMissingRestorePrivileges(
  session: Session,
  inventory: Inventory,
  grants: Grants,
  target: Target,
): Promise<void> {
  const lacking = new Map<string, readonly string[]>();
  const [me] = await session.query('SELECT CURRENT_USER() AS account');
  for (const database of inventory.databases) {
    const has = (...kinds: readonly string[]) => kinds.some((kind) => (database.objects[kind]?.length ?? 0) > 0);
    const needed = ['CREATE', 'DROP', 'ALTER', 'INSERT', 'SELECT', 'INDEX', 'REFERENCES'];
    if (has('views')) needed.push('CREATE VIEW', 'SHOW VIEW');
    if (has('triggers')) needed.push('TRIGGER');
    if (has('events')) needed.push('EVENT');
    if (has('procedures', 'functions', 'packages')) needed.push('CREATE ROUTINE', 'ALTER ROUTINE');
    const missing = needed.filter((privilege) => !grants.holds(privilege, database.name));
    if (missing.length > 0) lacking.set(database.name, missing);
  }
  const account = me?.['account'] ?? '';
  const definers = inventory.databases.flatMap(({ objects }) => objects['definers'] ?? []);
  const global = [
    ...lackingOnEverything(session.dialect, target, inventory, { grants, account }),
    ...(await session.dialect.lackingForDefinersOfSystem(session, definers, grants)),
  ].map((privilege) => `${privilege} ON *.*`);
  if (lacking.size > 0 || global.length > 0) await refuse(session, lacking, global, 'the restore');
}

async function refuse(
  session: Session,
  lacking: ReadonlyMap<string, readonly string[]>,
  others: readonly string[],
  forWhat: string,
): Promise<never> {
  const account = await ownAccount(session);
  const statements = [
    ...[...lacking].map(
      ([database, privileges]) => `GRANT ${privileges.join(', ')} ON ${quoteName(database)}.* TO ${account};`,
    ),
    ...others.map((privilege) => `GRANT ${privilege} TO ${account};`),
  ];
  const named = [
    ...[...lacking].map(([database, privileges]) => `${privileges.join(', ')} on '${database}'`),
    ...others.map((privilege) => privilege.replace(' ON ', ' on ').replaceAll('`', '')),
  ];
  throw new StowageError('SERVICE_PRIVILEGE', `The user ${account} lacks what ${forWhat} needs: ${named.join('; ')}.`, {
    help: `Run on the server: ${statements.join(' ')}`,
    details: { lacking: Object.fromEntries(lacking), others, statements },
  });
}

/** As in a GRANT statement. */
export async function ownAccount(session: Session): Promise<string> {
  const [row] = await session.query('SELECT CURRENT_USER() AS account');
  return (row?.['account'] ?? '').replace(/^(.*)@(.*)$/s, (_, user: string, host: string) =>
    [user, host].map((part) => `'${part.replaceAll("'", "''")}'`).join('@'),
  );
}
