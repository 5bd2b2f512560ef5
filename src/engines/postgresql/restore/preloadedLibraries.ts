import { StowageError } from '../../../errors.js';
import type { Inventory } from '../../inventory.js';
import { settingsOf } from '../catalog/databases.js';
import { quoteText } from '../catalog/names.js';
import { sqlStateOf } from '../errors/serverErrors.js';
import type { Session } from '../session/session.js';
import { elementsOf } from './createDatabase.js';

/** A login loads the libraries of these settings. The value is the folder of names that have no folder. */
const loading: Readonly<Record<string, string>> = {
  session_preload_libraries: '',
  local_preload_libraries: '$libdir/plugins/',
};

/**
 * Nobody can connect to a database that names a library which the server does not have, so the restore would fail after all
 * rows were written. Throws TARGET_UNFIT. An account that may not load a library restores without this check.
 */
export async function refuseMissingLibraries(session: Session, { databases }: Inventory): Promise<void> {
  const [me] = await session.query('SELECT current_user AS name');
  for (const { name: database, properties } of databases) {
    const ours = settingsOf(properties).filter(({ role }) => role === null || role === me?.['name']);
    for (const setting of ours) {
      const folder = loading[setting.name.toLowerCase()];
      if (folder === undefined || !('value' in setting)) continue;
      for (const library of elementsOf(setting.value)) {
        const file = library.includes('/') ? library : `${folder}${library}`;
        if (await isLoadable(session, file)) continue;
        throw new StowageError(
          'TARGET_UNFIT',
          `The database '${database}' has the setting ${setting.name}, and the target cannot load the library '${library}' that it names. Nobody could connect to the restored database.`,
          {
            help: `Install the library on the machine of the target, or reset ${setting.name} of the database at the source and take a new backup.`,
            details: { library },
          },
        );
      }
    }
  }
}

async function isLoadable(session: Session, file: string): Promise<boolean> {
  try {
    await session.query(`LOAD ${quoteText(file)}`);
  } catch (error) {
    const state = sqlStateOf(error);
    if (state === undefined) throw error;
    return state === '42501';
  }
  return true;
}
