import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bytesOf, startDump, startRestore } from '../../../test/fixtures/dumpAndRestore.js';
import { mysqlFingerprint } from '../../../test/fixtures/mysqlFingerprint.js';
import { describeWith } from '../../../test/fixtures/requirements.js';
import { mysqlHome, mysqlMissing, startMysql, type MysqlServer } from '../../../test/fixtures/servers/mysql.js';
import { Secret } from '../../secret.js';
import type { Inventory } from '../inventory.js';
import { dumpPrivileges, restorePrivileges } from '../mysqlFamily/privileges/accountStatements.js';
import { createMysqlEngine } from './mysqlEngine.js';

describeWith({ mysql: mysqlMissing }, 'Accounts of MySQL with as few privileges as possible', () => {
  const engine = createMysqlEngine({ tools: { folders: [join(mysqlHome, 'bin')] } });
  const password = 'only for tests';
  let source: MysqlServer;
  let target: MysqlServer;
  let folder: string;
  let inventory: Inventory;

  const context = () => ({ workFolder: folder, signal: new AbortController().signal });
  const as = (server: MysqlServer, username: string, databases: readonly string[] | null = ['harbour']) =>
    server.connection({ username, password: new Secret(password), databases });
  const privilegesStep = async (connection = as(source, 'stowage_backup')) => {
    const steps = await engine.check(connection, { ...context(), timeoutMs: 60_000 });
    return steps.find(({ name }) => name === 'PRIVILEGES');
  };

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'stowage-accounts-'));
    [source, target] = await Promise.all([startMysql(), startMysql()]);
    await source.sql(await readFile('scripts/quickstart-sample-mysql.sql', 'utf8'));
    // The check of an account with all privileges prints the statements. They are executed as they are.
    const step = await privilegesStep(source.connection({ databases: ['harbour'] }));
    const [, backup = '', restore = ''] =
      /only for backups: (CREATE USER .*?;) An account only for restores: (CREATE USER .*;)$/.exec(
        step?.message ?? '',
      ) ?? [];
    await source.sql(backup.replace("'…'", `'${password}'`));
    await target.sql(restore.replace("'…'", `'${password}'`));
  });
  afterAll(async () => {
    await Promise.all([source.stop(), target.stop()]);
    await engine.close();
    await rm(folder, { recursive: true, force: true });
  });

  test('back up and restore with exactly the statements that the check prints', async () => {
    // The account of these statements may not read hashes of passwords. The check names what this means.
    expect(await privilegesStep()).toMatchObject({
      status: 'OK',
      message: expect.stringMatching(
        /^All of harbour may be dumped\. The user may not read users and grants, .* GRANT SELECT ON `mysql`\.\* TO 'stowage_backup'@'%'; [^;]*$/,
      ),
    });
    const { report, part, stored, ended } = await startDump(engine, as(source, 'stowage_backup'), context());
    const bytes = await bytesOf(stored);
    expect((await ended).failure).toBeNull();
    expect(report.warnings).toEqual(['Users and their grants are not part of this backup.']);
    inventory = report.inventory;
    const to = as(target, 'stowage_restore');
    await engine.restorePreflight(to, { inventory }, context());
    const running = await startRestore(engine, to, part, { restoreId: 'least', inventory }, context());
    running.stored.end(bytes);
    expect((await running.ended).failure).toBeNull();
    expect(await mysqlFingerprint(target, ['harbour'])).toEqual(await mysqlFingerprint(source, ['harbour']));
    await target.sql('DROP DATABASE harbour');
  });

  describe('of which one privilege was revoked', () => {
    afterEach(async () => {
      await source.sql(`GRANT ${dumpPrivileges.join(', ')} ON harbour.* TO stowage_backup;
        GRANT PROCESS, SHOW DATABASES, SHOW_ROUTINE ON *.* TO stowage_backup;
        GRANT SELECT ON performance_schema.* TO stowage_backup;`);
      await target.sql(`GRANT ${restorePrivileges.join(', ')} ON *.* TO stowage_restore;
        GRANT SYSTEM_USER, SESSION_VARIABLES_ADMIN, SET_USER_ID ON *.* TO stowage_restore;`);
    });

    test.each(dumpPrivileges)('the check names %s', async (privilege) => {
      await source.sql(`REVOKE ${privilege} ON harbour.* FROM stowage_backup`);
      expect(await privilegesStep()).toMatchObject({
        ...{ status: 'FAILED', code: privilege === 'SELECT' ? expect.anything() : 'SERVICE_PRIVILEGE' },
        hint: expect.stringContaining(`GRANT ${privilege} ON \`harbour\`.* TO 'stowage_backup'@'%';`),
      });
    });

    test('the check names SHOW_ROUTINE', async () => {
      await source.sql('REVOKE SHOW_ROUTINE ON *.* FROM stowage_backup');
      expect(await privilegesStep()).toMatchObject({
        ...{ status: 'FAILED', code: 'SERVICE_PRIVILEGE' },
        hint: expect.stringContaining("GRANT SHOW_ROUTINE ON *.* TO 'stowage_backup'@'%';"),
      });
    });

    test.each([
      ['PROCESS', 'PROCESS ON *.*', ['harbour']],
      ['SHOW DATABASES', 'SHOW DATABASES ON *.*', null],
      ['SELECT on performance_schema', 'SELECT ON `performance_schema`.*', ['harbour']],
      ['SELECT on mysql', 'SELECT ON `mysql`.*', ['harbour']],
    ])('the check names %s, without which a backup is possible', async (_what, grant, databases) => {
      const step = () => privilegesStep(as(source, 'stowage_backup', databases));
      await source.sql(`GRANT ${grant} TO stowage_backup`);
      expect(await step()).toMatchObject({ status: 'OK', message: expect.not.stringContaining(`GRANT ${grant} TO`) });
      await source.sql(`REVOKE ${grant} FROM stowage_backup`);
      expect(await step()).toMatchObject({
        status: 'OK',
        message: expect.stringContaining(`GRANT ${grant} TO 'stowage_backup'@'%';`),
      });
    });

    test('the check and the backup name PROCESS and SHOW DATABASES, without which a backup is possible', async () => {
      await source.sql('REVOKE PROCESS, SHOW DATABASES ON *.* FROM stowage_backup');
      expect(await privilegesStep()).toMatchObject({
        status: 'OK',
        message: expect.stringMatching(/GRANT PROCESS ON/),
      });
      const prepared = await engine.prepareDump(as(source, 'stowage_backup', null), { ...context(), steps: [] });
      await prepared.close();
      expect(prepared.report.warnings).toContainEqual(expect.stringMatching(/no SHOW DATABASES privilege/));
    });

    test('the check names a privilege that a partial revoke took back for one database', async () => {
      await source.sql(`SET GLOBAL partial_revokes = ON; CREATE USER everything IDENTIFIED BY '${password}';
        GRANT ALL ON *.* TO everything; REVOKE TRIGGER ON harbour.* FROM everything;`);
      const step = await privilegesStep(as(source, 'everything'));
      await source.sql('DROP USER everything; SET GLOBAL partial_revokes = OFF;');
      expect(step).toMatchObject({ status: 'FAILED', message: expect.stringMatching(/TRIGGER on 'harbour'/) });
    });

    test('the rights of an active role count', async () => {
      await source.sql(`CREATE ROLE dumper; GRANT ${dumpPrivileges.join(', ')}, SHOW_ROUTINE, PROCESS ON *.* TO dumper;
        CREATE USER by_role IDENTIFIED BY '${password}' DEFAULT ROLE dumper;`);
      expect(await privilegesStep(as(source, 'by_role'))).toMatchObject({ status: 'OK' });
    });

    // A restore of the sample needs no SHOW VIEW if it creates none that reads another view, and so on: all are required.
    test.each([...restorePrivileges, 'SET_USER_ID', 'SYSTEM_USER'])(
      'the preflight of a restore names %s',
      async (privilege) => {
        await target.sql(`REVOKE ${privilege} ON *.* FROM stowage_restore`);
        const preflight = engine.restorePreflight(as(target, 'stowage_restore'), { inventory }, context());
        await expect(preflight).rejects.toMatchObject({
          code: 'SERVICE_PRIVILEGE',
          help: expect.stringMatching(new RegExp(`GRANT ${privilege} ON .* TO 'stowage_restore'@'%';`)),
        });
      },
    );
  });
});
