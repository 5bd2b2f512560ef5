import { StowageError } from '../../../errors.js';
import type { Inventory } from '../../inventory.js';
import { settingsOf } from '../catalog/databases.js';
import { quoteName } from '../catalog/names.js';
import { sqlStateOf } from '../errors/serverErrors.js';
import type { Session } from '../session/session.js';

/**
 * A restore sets the settings of a database at its end, so a setting that the account may not set would fail after all rows
 * were written. Throws SERVICE_PRIVILEGE.
 */
export async function refuseUnsettableSettings(session: Session, { databases }: Inventory): Promise<void> {
  const names = databases.flatMap(({ properties }) => settingsOf(properties).map(({ name }) => name));
  const unsettable: string[] = [];
  for (const name of new Set(names)) if (!(await maySet(session, name))) unsettable.push(name);
  if (unsettable.length === 0) return;
  const [row] = await session.query('SELECT quote_ident(current_user) AS me');
  throw new StowageError(
    'SERVICE_PRIVILEGE',
    `The databases of the backup have settings that the account of the target may not set: ${unsettable.join(', ')}.`,
    {
      help:
        session.version.major >= 15
          ? `Run on the target: ${unsettable.map((name) => `GRANT SET ON PARAMETER ${parameter(name)} TO ${row?.['me'] ?? ''};`).join(' ')}`
          : 'Restore with a superuser, or reset these settings at the source and take a new backup.',
      details: { settings: unsettable },
    },
  );
}

/**
 * The server checks the privilege of ALTER DATABASE … SET in the same way. Each statement is a transaction of its own, so SET
 * LOCAL changes nothing. pg_settings hides some of these settings from the account. Other errors do not concern privileges:
 * some settings cannot be set in a running session.
 */
async function maySet(session: Session, name: string): Promise<boolean> {
  try {
    await session.query(`SET LOCAL ${parameter(name)} TO DEFAULT`);
  } catch (error) {
    const state = sqlStateOf(error);
    if (state === undefined) throw error;
    return state !== '42501';
  }
  return true;
}

function parameter(name: string): string {
  return name.split('.').map(quoteName).join('.');
}
