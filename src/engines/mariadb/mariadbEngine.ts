import type { Engine } from '../engine.js';
import { createFamilyEngine, type FamilyEngineOptions } from '../mysqlFamily/familyEngine.js';
import { systemTools } from '../process/tools.js';
import { mariadbDialect } from './mariadbDialect.js';
import { installedTools } from './mariadbTools.js';

export type MariadbEngineOptions = FamilyEngineOptions;

/** The module that implements MariaDB's protocol, for `createConversations`. */
export const mariadbDriver = new URL('./mariadbDriver.js', import.meta.url);

/** The engine for MariaDB with its own tools, mariadb-dump and mariadb. */
export function createMariadbEngine(options: MariadbEngineOptions = {}): Engine {
  const facts = {
    name: 'MARIADB',
    programs: ['mariadb-dump', 'mariadb', 'zstd'],
    tools: () => installedTools(options.tools ?? systemTools),
  };
  return createFamilyEngine({ ...facts, driver: mariadbDriver, dialect: mariadbDialect }, options);
}
