import { StowageError } from '../../../errors.js';
import type { Inventory } from '../../inventory.js';
import { settingsOf } from '../catalog/databases.js';
import { quoteText } from '../catalog/names.js';
import { sqlStateOf } from '../errors/serverErrors.js';
import type { Session } from '../session/session.js';
import { elementsOf } from './createDatabase.js';

const plugins = '$libdir/plugins/';

/**
 * The file that a login loads for a name in these settings. Undefined: none. Anybody may set local_preload_libraries, so a
 * login loads only plugins for it. A superuser's LOAD would load every file, and must not.
 */
const fileOf: Readonly<Record<string, (library: string) => string | undefined>> = {
  session_preload_libraries: (library) => library,
  local_preload_libraries: (library) => {
    const name = library.startsWith(plugins) ? library.slice(plugins.length) : library;
    return name.includes('/') ? undefined : `${plugins}${name}`;
  },
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
      const find = fileOf[setting.name.toLowerCase()];
      if (find === undefined || !('value' in setting)) continue;
      for (const library of elementsOf(setting.value)) {
        const file = find(library);
        if (file === undefined || (await isLoadable(session, file))) continue;
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
