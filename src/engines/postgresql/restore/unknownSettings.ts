import type { Inventory } from '../../inventory.js';
import { settingsOf } from '../catalog/databases.js';
import { sqlStateOf } from '../errors/serverErrors.js';
import type { Session } from '../session/session.js';

/** The settings of these names that the server does not know. It accepts every name with a dot. */
export async function unknownSettings(session: Session, names: readonly string[]): Promise<readonly string[]> {
  const unknown: string[] = [];
  for (const name of new Set(names.filter((each) => !each.includes('.')))) {
    if (!(await isKnown(session, name))) unknown.push(name);
  }
  return unknown;
}

async function isKnown(session: Session, name: string): Promise<boolean> {
  try {
    const [row] = await session.query('SELECT current_setting($1, true) IS NOT NULL AS known', [name]);
    return row?.['known'] === 't';
  } catch (error) {
    // The account may not read it, so it exists.
    if (sqlStateOf(error) === '42501') return true;
    throw error;
  }
}

/** A later version no longer has some settings, for example `force_parallel_mode` and `operator_precedence_warning`. */
export async function settingsWarning(session: Session, { databases }: Inventory): Promise<readonly string[]> {
  const names = databases.flatMap(({ properties }) => settingsOf(properties).map(({ name }) => name));
  const unknown = await unknownSettings(session, names);
  if (unknown.length === 0) return [];
  return [
    `The target does not know these settings, so the restore leaves them out: ${unknown.join(', ')}. The databases of the backup have values for them.`,
  ];
}
