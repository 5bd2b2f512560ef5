import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { describeWith } from '../../../test/fixtures/requirements.js';
import { mariadbMissing, startMariadb, type MariadbServer } from '../../../test/fixtures/servers/mariadb.js';
import { postgresMissing } from '../../../test/fixtures/servers/postgres.js';
import { eventually, startWorkerHarness, type WorkerHarness } from '../../../test/fixtures/workerHarness.js';
import { BackupJobTable, type BackupJobRow } from '../../backups/backupJobView.js';
import { findInventory } from '../../backups/api/backupJobQueries.js';
import type { Inventory } from '../../engines/inventory.js';
import type { IncludedUsers } from '../../engines/runningDump.js';
import { RestoreJobTable } from '../../restores/restoreJobView.js';

const run = promisify(execFile);
/** SHOW CREATE USER shows these as hashes of mysql_native_password. */
const passwords = { app: 'the first secret', clerk: 'the second secret' };

describeWith({ postgresql: await postgresMissing(), mariadb: mariadbMissing }, 'A worker backs up accounts', () => {
  let harness: WorkerHarness;
  let server: MariadbServer;
  let target: MariadbServer;
  let fileEndpointId: string;
  let serviceId: string;

  beforeAll(async () => {
    [harness, server, target] = await Promise.all([startWorkerHarness(), startMariadb(), startMariadb()]);
    await server.sql(`CREATE DATABASE shop; CREATE TABLE shop.orders (id INT PRIMARY KEY); CREATE DATABASE other;
      CREATE USER app@'%' IDENTIFIED BY '${passwords.app}' REQUIRE SSL;
      CREATE USER 'we''ird\`clerk'@localhost IDENTIFIED BY '${passwords.clerk}';
      CREATE ROLE reader; GRANT SELECT ON \`sh_p\`.* TO reader; GRANT reader TO app@'%'; SET DEFAULT ROLE reader FOR app@'%';
      GRANT INSERT ON shop.orders TO 'we''ird\`clerk'@localhost; GRANT SELECT ON other.* TO app@'%'; GRANT SELECT ON shop.* TO PUBLIC;
      CREATE USER lesser@'%' IDENTIFIED BY 'lesser'; GRANT SELECT, TRIGGER, EVENT, SHOW VIEW, EXECUTE, LOCK TABLES ON shop.* TO lesser@'%'`);
    fileEndpointId = await harness.addFolder();
    serviceId = await harness.addService(server, { databases: ['shop'] });
    await harness.startWorker();
  });
  afterAll(async () => {
    await Promise.all([harness.stop(), server.stop(), target.stop()]);
  });

  async function backUp(includeUsers: IncludedUsers, of = serviceId): Promise<BackupJobRow> {
    const id = await harness.queueBackup({ serviceId: of, fileEndpointId, includeUsers });
    const backup = await eventually('the end of the backup', async () => {
      const row = await harness.dataSource.manager.findOneByOrFail(BackupJobTable, { id });
      return row.finishedAt === null ? undefined : row;
    });
    expect({ status: backup.status, error: backup.error }).toEqual({ status: 'SUCCEEDED', error: null });
    return backup;
  }
  /** The plain text of the part, as its command for a person shows it. */
  async function usersOf({ parts }: BackupJobRow): Promise<string> {
    const part = parts.find(({ name }) => name === 'users');
    if (part === undefined) throw new Error('There is no part with users.');
    expect(part).toMatchObject({ replay: false, databases: [] });
    const { stdout } = await run('zstd', ['-dc', join(harness.ground.root, part.objectName)]);
    expect(part.restoreByHand).toMatch(/^cat \S+ \| zstd -d$/);
    return stdout;
  }
  const hashesOf = async () =>
    (await server.sql("SELECT authentication_string FROM mysql.user WHERE authentication_string LIKE '*%'"))
      .trim()
      .split('\n');

  test('without passwords: another server gets the same accounts, and all of them are closed', async () => {
    const backup = await backUp('WITHOUT_PASSWORDS');
    expect(backup.warnings.join()).not.toContain('Users and their grants');
    const statements = await usersOf(backup);
    for (const hash of await hashesOf()) expect(statements).not.toContain(hash);

    await target.sql(`CREATE DATABASE shop; CREATE TABLE shop.orders (id INT); CREATE DATABASE other; ${statements}`);
    const grants =
      "SHOW GRANTS FOR app@'%'; SHOW GRANTS FOR reader; SHOW GRANTS FOR PUBLIC; SHOW GRANTS FOR `we'ird``clerk`@localhost";
    const plain = (text: string) => text.replaceAll(/ IDENTIFIED BY PASSWORD '[^']*'/g, '');
    expect(plain(await target.sql(grants))).toBe(plain(await server.sql(grants)));
    expect(await target.sql("SHOW CREATE USER app@'%'")).toBe(
      "CREATE USER `app`@`%` IDENTIFIED BY PASSWORD '*0000000000000000000000000000000000000000' REQUIRE SSL ACCOUNT LOCK\n",
    );
    await target.sql(
      "DROP DATABASE shop; DROP DATABASE other; DROP USER app@'%', `we'ird``clerk`@localhost, lesser@'%'; DROP ROLE reader",
    );
  });

  test('with the hashes of passwords only if the plan says so: users keep their passwords', async () => {
    const statements = await usersOf(await backUp('WITH_PASSWORD_HASHES'));
    await target.sql(`CREATE DATABASE shop; CREATE TABLE shop.orders (id INT); CREATE DATABASE other; ${statements}`);
    const created = "SHOW CREATE USER app@'%'; SHOW CREATE USER `we'ird``clerk`@localhost";
    expect(await target.sql(created)).toBe(await server.sql(created));
    await target.sql(
      "DROP DATABASE shop; DROP DATABASE other; DROP USER app@'%', `we'ird``clerk`@localhost, lesser@'%'; DROP ROLE reader",
    );
  });

  test('and the inventory lists their names and who has privileges on a database, and nothing else holds a hash', async () => {
    const { id, folder } = await backUp('WITH_PASSWORD_HASHES');
    const inventory = (await findInventory(harness.dataSource.manager, id, 1_000_000)).inventory?.toJSON() as Inventory;
    expect(inventory.accounts).toMatchObject({
      users: expect.arrayContaining(['app@%', "we'ird`clerk@localhost", 'lesser@%']),
      roles: expect.arrayContaining(['reader']),
    });
    expect(inventory.databases[0]?.grantees).toEqual(
      expect.arrayContaining(['reader', "we'ird`clerk@localhost", 'lesser@%']),
    );
    expect(inventory.databases[0]?.grantees).not.toContain('app@%');
    const document = await harness.dataSource.query(
      "SELECT string_agg(row_to_json(job)::text, '') AS text FROM backup_jobs job",
    );
    const { stdout } = await run('cat', [join(harness.ground.root, `${folder ?? ''}backup.json`)]);
    const everything = [
      JSON.stringify((await harness.eventsOf(id)).map(({ data }) => data)),
      JSON.stringify(document),
      stdout,
      harness.logged.join(),
    ];
    for (const hash of await hashesOf()) expect(everything.join()).not.toContain(hash.slice(1));
  });

  test('and does not read them for a plan without accounts', async () => {
    const { parts, warnings } = await backUp('NONE');
    expect(parts.map(({ name }) => name)).toEqual(['databases']);
    expect(warnings).toContain('Users and their grants are not part of this backup.');
  });

  test('if the account of the service may read them; otherwise a warning contains the GRANT', async () => {
    const lesser = { port: server.port, username: 'lesser', password: 'lesser' };
    const service = await harness.addService(lesser, { databases: ['shop'] });
    const { parts, warnings } = await backUp('WITHOUT_PASSWORDS', service);
    expect(parts.map(({ name }) => name)).toEqual(['databases']);
    const grant = /Run on the server: (GRANT SELECT ON `mysql`\.\* TO 'lesser'@'%';)/.exec(warnings.join());
    await server.sql(grant?.[1] ?? '');
    expect(await usersOf(await backUp('WITHOUT_PASSWORDS', service))).toContain('CREATE ROLE IF NOT EXISTS `reader`;');
  });

  test('and a restore names the accounts that the target lacks, and creates none', async () => {
    const { id } = await backUp('WITHOUT_PASSWORDS');
    const targetId = await harness.addService(target);
    const restoreId = await harness.queueRestore(id, targetId);
    const { status, warnings } = await eventually('the end of the restore', async () => {
      const row = await harness.dataSource.manager.findOneByOrFail(RestoreJobTable, { id: restoreId });
      return row.finishedAt === null ? undefined : row;
    });
    expect(status).toBe('SUCCEEDED');
    expect(warnings).toContainEqual(
      expect.stringContaining("do not exist on the target: lesser@%, reader, we'ird`clerk@localhost."),
    );
    expect(await target.sql("SELECT user FROM mysql.user WHERE user IN ('app', 'reader', 'lesser')")).toBe('');
  });
});
