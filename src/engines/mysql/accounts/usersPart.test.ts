import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { execFileSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { mysqlFingerprint } from '../../../../test/fixtures/mysqlFingerprint.js';
import { describeWith } from '../../../../test/fixtures/requirements.js';
import { restoreParts, type DumpedParts } from '../../../../test/fixtures/roundTrip.js';
import { mysqlHome, mysqlMissing, startMysql, type MysqlServer } from '../../../../test/fixtures/servers/mysql.js';
import { Secret } from '../../../secret.js';
import { usualSteps } from '../../pipeline/storedSteps.js';
import type { IncludedUsers } from '../../runningDump.js';
import { createMysqlEngine } from '../mysqlEngine.js';

describeWith({ mysql: mysqlMissing }, 'The part with users and grants of MySQL', () => {
  const engine = createMysqlEngine({ tools: { folders: [join(mysqlHome, 'bin')] } });
  let source: MysqlServer;
  let target: MysqlServer;
  let folder: string;
  const accounts = "`we'ird``clerk`@`10.0.0.0/255.0.0.0`, app, native, reader, writer@localhost, lesser";

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'stowage-users-'));
    [source, target] = await Promise.all([startMysql(), startMysql()]);
    await source.sql(`SET GLOBAL partial_revokes = ON;
      CREATE DATABASE shop; CREATE TABLE shop.orders (id INT PRIMARY KEY); CREATE PROCEDURE shop.p() SELECT 1; CREATE DATABASE other;
      CREATE ROLE reader, writer@localhost; GRANT SELECT ON shop.* TO reader;
      CREATE USER app IDENTIFIED BY 'the first secret' DEFAULT ROLE reader, writer@localhost REQUIRE SSL WITH MAX_USER_CONNECTIONS 3
        PASSWORD EXPIRE INTERVAL 90 DAY FAILED_LOGIN_ATTEMPTS 3 PASSWORD_LOCK_TIME 2 COMMENT 'it''s IDENTIFIED REQUIRE; --';
      GRANT SELECT, INSERT, BACKUP_ADMIN, RESOURCE_GROUP_USER ON *.* TO app WITH GRANT OPTION; REVOKE INSERT ON shop.* FROM app;
      GRANT reader TO app WITH ADMIN OPTION;
      CREATE USER native IDENTIFIED WITH mysql_native_password BY 'the second secret';
      GRANT SELECT (id), UPDATE (id) ON shop.orders TO native; GRANT EXECUTE ON PROCEDURE shop.p TO native; GRANT PROXY ON app TO native;
      CREATE USER \`we'ird\`\`clerk\`@\`10.0.0.0/255.0.0.0\` IDENTIFIED BY 'the third secret'; GRANT ALL ON other.* TO \`we'ird\`\`clerk\`@\`10.0.0.0/255.0.0.0\`;
      CREATE USER lesser IDENTIFIED BY 'lesser'; GRANT SELECT, TRIGGER, EVENT, SHOW VIEW ON shop.* TO lesser; GRANT SHOW_ROUTINE ON *.* TO lesser;`);
    await target.sql('SET GLOBAL partial_revokes = ON');
  });
  afterAll(async () => {
    await Promise.all([source.stop(), target.stop()]);
    await engine.close();
    await rm(folder, { recursive: true, force: true });
  });

  const context = () => ({ workFolder: folder, signal: new AbortController().signal });
  async function backUp(includeUsers: IncludedUsers, connection = source.connection({ databases: ['shop'] })) {
    const prepared = await engine.prepareDump(connection, { ...context(), steps: usualSteps, includeUsers });
    const parts: DumpedParts['parts'][number][] = [];
    for (const part of prepared.report.parts) {
      const running = await prepared.dump(part, context());
      const chunks: Buffer[] = [];
      for await (const chunk of running.stored) chunks.push(Buffer.from(chunk));
      const end = await running.ended;
      expect(end.failure).toBeNull();
      parts.push({ part, bytes: Buffer.concat(chunks), end });
    }
    await prepared.close();
    const users = parts.find(({ part }) => part.name === 'users');
    const statements =
      users === undefined ? undefined : execFileSync('zstd', ['-dc'], { input: users.bytes, encoding: 'utf8' });
    return { report: prepared.report, parts, statements };
  }
  /** The hashes as text and as hex digits. The server itself has no other secrets. */
  async function hashes(): Promise<readonly string[]> {
    const found = await source.sql(
      "SELECT HEX(authentication_string) FROM mysql.user WHERE user IN ('app', 'native', 'lesser')",
    );
    const hex = found.trim().split('\n');
    expect(hex).toHaveLength(3);
    return hex.flatMap((each) => [each, each.toLowerCase(), Buffer.from(each, 'hex').toString('latin1')]);
  }
  const shown = (server: MysqlServer, what: string) =>
    server.sql(
      `SET print_identified_with_as_hex = 1; ${accounts
        .split(', ')
        .map((each) => `SHOW ${what} ${each};`)
        .join('\n')}`,
    );
  const drop = () => target.sql(`DROP DATABASE shop; DROP DATABASE other; DROP USER ${accounts}`);
  const replay = (statements = '') =>
    target.sql(
      `CREATE DATABASE shop; CREATE TABLE shop.orders (id INT); CREATE PROCEDURE shop.p() SELECT 1; CREATE DATABASE other; ${statements}`,
    );

  test('gives another server the same accounts without passwords, and all of them are closed', async () => {
    const { statements, report, parts } = await backUp('WITHOUT_PASSWORDS');
    for (const hash of await hashes()) expect(statements).not.toContain(hash);
    expect(parts.at(-1)?.part).toMatchObject({ name: 'users', replay: false, databases: [] });
    expect(report.warnings).toEqual([]);
    await replay(statements);
    expect(await shown(target, 'GRANTS FOR')).toBe(await shown(source, 'GRANTS FOR'));
    const plain = (text: string) =>
      text
        .replaceAll(/ IDENTIFIED WITH .*?(?= (?:DEFAULT ROLE|REQUIRE) )/g, '')
        .replaceAll('ACCOUNT UNLOCK', 'ACCOUNT LOCK');
    expect(plain(await shown(target, 'CREATE USER'))).toBe(plain(await shown(source, 'CREATE USER')));
    const open = "SELECT user FROM mysql.user WHERE user IN ('app', 'native', 'lesser') AND account_locked = 'N'";
    expect(await target.sql(open)).toBe('');
    // An account that somebody unlocks without a new password still accepts no password.
    await target.sql('ALTER USER lesser ACCOUNT UNLOCK');
    for (const password of ['', 'lesser']) {
      const steps = await engine.check(target.connection({ username: 'lesser', password: new Secret(password) }), {
        ...{ ...context(), timeoutMs: 60_000 },
      });
      expect(steps.find(({ status }) => status === 'FAILED')).toMatchObject({ code: 'SERVICE_AUTH' });
    }
    await drop();
  });

  test('contains the hashes only if the plan says so, and then users keep their passwords', async () => {
    const { statements, report } = await backUp('WITH_PASSWORD_HASHES');
    await replay(statements);
    for (const what of ['CREATE USER', 'GRANTS FOR']) expect(await shown(target, what)).toBe(await shown(source, what));
    const steps = await engine.check(target.connection({ username: 'lesser', password: new Secret('lesser') }), {
      ...{ ...context(), timeoutMs: 60_000 },
    });
    expect(steps.find(({ name }) => name === 'AUTHENTICATE')).toMatchObject({ status: 'OK' });
    for (const hash of await hashes()) expect(JSON.stringify(report)).not.toContain(hash);
    await drop();
  });

  test('is listed in the inventory by names, and a restore creates no account and names those that are missing', async () => {
    const dumped = await backUp('WITH_PASSWORD_HASHES');
    const { inventory } = dumped.report;
    expect(inventory.accounts).toMatchObject({
      users: expect.arrayContaining(['app@%', "we'ird`clerk@10.0.0.0/255.0.0.0", 'lesser@%']),
      roles: ['reader@%', 'writer@localhost'],
    });
    expect(inventory.databases[0]?.grantees).toEqual(expect.arrayContaining(['reader@%', 'native@%', 'lesser@%']));
    expect(inventory.databases[0]?.grantees).not.toContain("we'ird`clerk@10.0.0.0/255.0.0.0");
    const parts = dumped.parts.filter(({ part }) => part.replay !== false);
    const { warnings, losses } = await restoreParts(engine, target.connection(), { ...dumped, parts }, context());
    expect(losses).toEqual([]);
    expect(warnings).toContainEqual(
      expect.stringMatching(/do not exist on the target: lesser@%, native@%, reader@%\./),
    );
    expect(await target.sql("SELECT user FROM mysql.user WHERE user IN ('app', 'reader', 'lesser')")).toBe('');
    expect(await mysqlFingerprint(target, ['shop'])).toEqual(await mysqlFingerprint(source, ['shop']));
    await target.sql('DROP DATABASE shop');
  });

  test('needs SELECT on the database mysql, and a warning contains the GRANT', async () => {
    const lesser = source.connection({ username: 'lesser', password: new Secret('lesser'), databases: ['shop'] });
    const { parts, report } = await backUp('WITHOUT_PASSWORDS', lesser);
    expect(parts.map(({ part }) => part.name)).toEqual(['databases']);
    const [, grant] =
      /Run on the server: (GRANT SELECT ON `mysql`\.\* TO 'lesser'@'%';)/.exec(report.warnings.join()) ?? [];
    await source.sql(grant ?? '');
    expect((await backUp('WITHOUT_PASSWORDS', lesser)).statements).toContain('CREATE ROLE IF NOT EXISTS `reader`@`%`;');
  });
});
