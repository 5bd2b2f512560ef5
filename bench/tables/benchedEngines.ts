import { join } from 'node:path';
import type { Engine } from '../../src/engines/engine.js';
import { createMariadbEngine } from '../../src/engines/mariadb/mariadbEngine.js';
import { createMysqlEngine } from '../../src/engines/mysql/mysqlEngine.js';
import type { FamilyServer } from '../../test/fixtures/servers/familyServer.js';
import { startMariadb } from '../../test/fixtures/servers/mariadb.js';
import { mysqlHome, startMysql } from '../../test/fixtures/servers/mysql.js';

type BenchedEngine = {
  readonly engine: Engine;
  readonly start: () => Promise<FamilyServer>;
  readonly dumpTool: string;
  readonly client: string;
};

/**
 * The servers run without fsync, because the benchmark measures work and not the time that a disk needs to confirm each
 * new file.
 */
const common = ['--innodb-buffer-pool-size=256M', '--innodb-flush-method=nosync'];

export function benchedEngine(name: string): BenchedEngine {
  if (name === 'mysql') {
    const bin = join(mysqlHome, 'bin');
    return {
      engine: createMysqlEngine({ tools: { folders: [bin] } }),
      start: () => startMysql([...common, '--innodb-redo-log-capacity=256M']),
      dumpTool: join(bin, 'mysqldump'),
      client: join(bin, 'mysql'),
    };
  }
  if (name !== 'mariadb') throw new Error(`There is no benchmark for the engine '${name}'.`);
  return {
    engine: createMariadbEngine(),
    start: () => startMariadb([...common, '--innodb-log-file-size=256M', '--skip-sync-frm']),
    dumpTool: 'mariadb-dump',
    client: 'mariadb',
  };
}
