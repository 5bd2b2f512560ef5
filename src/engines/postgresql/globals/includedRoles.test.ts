import { execFileSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { dumpAll, restoreAll, type DumpedAll } from '../../../../test/fixtures/dumpAllParts.js';
import { describeWith } from '../../../../test/fixtures/requirements.js';
import {
  postgresBin,
  postgresVersionsMissing,
  startPostgresServer,
  type PostgresServer,
  type PostgresVersion,
} from '../../../../test/fixtures/servers/postgresVersions.js';
import { Secret } from '../../../secret.js';
import type { IncludedUsers } from '../../runningDump.js';
import { backupAccount } from '../checks/accountStatements.js';
import { createPostgresqlEngine } from '../postgresqlEngine.js';
import { globalsPart } from './globalsPart.js';

const versions: readonly PostgresVersion[] = ['15', '18'];

describeWith({ 'postgresql-versions': postgresVersionsMissing }, 'a backup of the roles', () => {
  describe.each(versions)('of PostgreSQL %s', (version) => {
    const engine = createPostgresqlEngine({ tools: { folders: [postgresBin('18')] } });
    let source: PostgresServer;
    let target: PostgresServer;
    let folder: string;
    const context = () => ({ workFolder: folder, signal: AbortSignal.timeout(60_000) });
    const account = { username: 'backup', password: new Secret('secret') };
    const backUp = (includeUsers: IncludedUsers) =>
      dumpAll(engine, source.connection({ databases: ['shop'], ...account }), { ...context(), includeUsers });
    /** The plain text of the part. */
    const globalsOf = ({ parts }: DumpedAll) => {
      const found = parts.find(({ part }) => part.name === globalsPart);
      return execFileSync('zstd', ['-d', '-q'], { input: found?.bytes, encoding: 'utf8' });
    };
    const hashes = async () =>
      (await source.sql('postgres', 'SELECT rolpassword FROM pg_authid WHERE rolpassword IS NOT NULL'))
        .trim()
        .split('\n');

    beforeAll(async () => {
      folder = await mkdtemp(join(tmpdir(), 'stowage-roles-'));
      [source, target] = await Promise.all([startPostgresServer(version), startPostgresServer(version)]);
      await source.sql(
        'postgres',
        `${backupAccount('backup', 15).join(';').replace("'…'", "'secret'")};
         CREATE ROLE readers; CREATE ROLE "Group ""q""" IN ROLE readers;
         CREATE ROLE app LOGIN PASSWORD 'the first secret' IN ROLE "Group ""q"""; CREATE ROLE other LOGIN PASSWORD 'the second secret';
         CREATE DATABASE shop`,
      );
      await source.sql('shop', 'CREATE TABLE orders (id int); GRANT SELECT ON orders TO readers');
    });
    afterAll(async () => {
      await engine.close();
      await Promise.all([source.stop(), target.stop()]);
      await rm(folder, { recursive: true });
    });

    test('contains no hash without passwords, and everything else', async () => {
      const dumped = await backUp('WITHOUT_PASSWORDS');
      const statements = globalsOf(dumped);
      for (const hash of await hashes()) expect(statements).not.toContain(hash);
      expect(statements).toContain('CREATE ROLE app;');
      expect(dumped.report.warnings).toEqual([]);
      expect(dumped.inventory.accounts).toEqual({
        users: ['admin', 'app', 'backup', 'other'],
        roles: ['Group "q"', 'readers'],
      });
      expect(dumped.inventory.databases[0]?.grantees).toEqual(['Group "q"', 'admin', 'app', 'readers']);
    });

    test('contains the hashes if the plan says so, and then users keep their passwords', async () => {
      const dumped = await backUp('WITH_PASSWORD_HASHES');
      expect(dumped.report.warnings).toEqual([]);
      const statements = globalsOf(dumped);
      for (const hash of await hashes()) {
        expect(statements).toContain(hash);
        expect(JSON.stringify(dumped.report)).not.toContain(hash);
      }
      await target.sql('postgres', statements.replaceAll(/^(?:CREATE|ALTER) ROLE admin\b.*$/gm, ''));
      const stored = "SELECT rolname, rolpassword FROM pg_authid WHERE rolname IN ('app', 'other') ORDER BY 1";
      expect(await target.sql('postgres', stored)).toBe(await source.sql('postgres', stored));
      await target.sql('postgres', 'DROP ROLE app, other, backup, "Group ""q""", readers');
    });

    test('names the right that is missing for the hashes, and contains the roles without them', async () => {
      await source.sql(
        'postgres',
        'REVOKE pg_read_all_data FROM backup; CREATE ROLE holder ROLE backup; GRANT pg_read_all_stats TO holder',
      );
      await source.sql('shop', 'GRANT SELECT ON orders TO backup');
      const lesser = await backUp('WITH_PASSWORD_HASHES');
      const [, grant = ''] = /Run on the server: (GRANT [^;]*;)/.exec(lesser.report.warnings.join('\n')) ?? [];
      expect(lesser.report.warnings.join('\n')).toContain('contains no hashes of passwords, although its plan asks');
      for (const hash of await hashes()) expect(globalsOf(lesser)).not.toContain(hash);
      await source.sql('postgres', `${grant} DROP ROLE holder`);
      expect((await backUp('WITH_PASSWORD_HASHES')).report.warnings).toEqual([]);
      await source.sql('shop', 'REVOKE SELECT ON orders FROM backup');
    });

    test('contains no roles without them, and a warning states this', async () => {
      const dumped = await backUp('NONE');
      expect(globalsOf(dumped)).not.toMatch(/ROLE/);
      expect(dumped.inventory.accounts).toBeUndefined();
      expect(dumped.inventory.databases[0]?.grantees).toBeUndefined();
      expect(dumped.report.warnings).toEqual([expect.stringContaining('Roles and their memberships are not part')]);
    });

    test('is not replayed: a restore creates the roles with objects, and names their members that are missing', async () => {
      const dumped = await backUp('WITHOUT_PASSWORDS');
      const { warnings } = await engine.restorePreflight(
        target.connection(),
        { inventory: dumped.inventory },
        context(),
      );
      expect(warnings).toEqual([
        expect.stringContaining('without members: readers.'),
        expect.stringContaining('do not exist on the target: Group "q", app.'),
      ]);
      await restoreAll(engine, target.connection(), dumped, context());
      expect(await target.sql('postgres', "SELECT rolname FROM pg_roles WHERE rolname !~ '^pg_' ORDER BY 1")).toBe(
        'admin\nreaders\n',
      );
    });

    test('needs no database postgres', async () => {
      await source.sql('postgres', 'REVOKE CONNECT ON DATABASE postgres, template1 FROM PUBLIC');
      expect(globalsOf(await backUp('WITHOUT_PASSWORDS'))).toContain('CREATE ROLE app;');
      await source.sql('postgres', 'GRANT CONNECT ON DATABASE postgres, template1 TO PUBLIC');
    });
  });
});
