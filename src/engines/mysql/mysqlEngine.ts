import type { Engine } from '../engine.js';
import { createFamilyEngine, type FamilyEngineOptions } from '../mysqlFamily/familyEngine.js';
import { systemTools } from '../process/tools.js';
import { mysqlDialect } from './mysqlDialect.js';
import { installedMysqlTools, mysqlToolReleases } from './mysqlTools.js';

/** The module that implements MySQL's protocol, for `createConversations`. */
export const mysqlDriver = new URL('./mysqlDriver.js', import.meta.url);

/** The engine for MySQL with its own tools, mysqldump and mysql. */
export function createMysqlEngine(options: FamilyEngineOptions = {}): Engine {
  const facts = {
    name: 'MYSQL',
    programs: ['mysqldump', 'mysql', 'zstd'],
    toolReleases: mysqlToolReleases,
    tools: () => installedMysqlTools(options.tools ?? systemTools),
  };
  return createFamilyEngine({ ...facts, driver: mysqlDriver, dialect: mysqlDialect }, options);
}
