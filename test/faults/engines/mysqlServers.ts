import { join } from 'node:path';
import { createMysqlEngine } from '../../../src/engines/mysql/mysqlEngine.js';
import { mysqlFingerprint } from '../../fixtures/mysqlFingerprint.js';
import { mysqlHome, startMysql } from '../../fixtures/servers/mysql.js';
import type { EngineServers } from './engineGround.js';

export async function mysqlServers(): Promise<EngineServers> {
  const [source, target] = await Promise.all([startMysql(), startMysql()]);
  const servers = { source, target };
  await source.sql(sample);
  const { username, password } = source;
  return {
    ...{ dumpTool: 'mysqldump', restoreTool: 'mysql', toolFolder: join(mysqlHome, 'bin') },
    besideTool: ['mysqldump', 'mysql'],
    login: { username, password },
    settings: { tls: { mode: 'REQUIRE', ca: null } },
    ports: { source: source.port, target: target.port },
    createEngine: (tools) => createMysqlEngine({ tools }),
    async contents(of) {
      const found = await servers[of].sql("SHOW DATABASES LIKE 'shop'");
      return found === '' ? undefined : JSON.stringify(await mysqlFingerprint(servers[of], ['shop']));
    },
    clearTarget: () => target.sql('DROP DATABASE IF EXISTS shop').then(() => undefined),
    async endSessions(of) {
      const ids = await servers[of].sql(`SELECT id FROM information_schema.processlist WHERE user = '${username}'`);
      for (const id of ids.split('\n').filter(Boolean)) await servers[of].sql(`KILL ${id}`).catch(() => undefined);
    },
    async setPassword(of, which) {
      const quoted = which === 'OTHER' ? "'other'" : `'${password.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`;
      await servers[of].sql(`ALTER USER '${username}'@'%' IDENTIFIED BY ${quoted}`);
    },
    dropLastTable: () => source.sql('DROP TABLE shop.words').then(() => undefined),
    createLastTable: () => source.sql(`USE shop; ${words}`).then(() => undefined),
    stop: () => Promise.all([source.stop(), target.stop()]).then(() => undefined),
  };
}

const numbers = (count: number) =>
  `WITH RECURSIVE seq (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM seq WHERE n < ${count})`;
const words = `SET cte_max_recursion_depth = 100000;
CREATE TABLE IF NOT EXISTS words (id INT PRIMARY KEY, note VARCHAR(200) NOT NULL);
INSERT IGNORE INTO words ${numbers(15_000)} SELECT n, CONCAT('Ladung ', SHA2(n, 256), ' für Kai 🚢 ', n % 17) FROM seq;`;

/** Half of the data is noise, which does not compress. The dump has about 9 MB, because noise is written as hex. */
const sample = `SET NAMES utf8mb4; CREATE DATABASE shop CHARACTER SET utf8mb4; USE shop; SET cte_max_recursion_depth = 100000;
CREATE TABLE noise (id INT PRIMARY KEY, b BLOB NOT NULL);
INSERT INTO noise ${numbers(4_000)} SELECT n, RANDOM_BYTES(1024) FROM seq;
CREATE TABLE nothing_yet (id INT PRIMARY KEY);
${words}
CREATE VIEW latest AS SELECT id, note FROM words WHERE id > 14900;
CREATE PROCEDURE count_words() SELECT COUNT(*) FROM words;
CREATE TRIGGER no_blank BEFORE INSERT ON words FOR EACH ROW SET NEW.note = TRIM(NEW.note);`;
