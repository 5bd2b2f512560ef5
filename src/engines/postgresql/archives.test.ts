import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { dumpAll, restoreAll, type DumpedAll } from '../../../test/fixtures/dumpAllParts.js';
import { describeWith } from '../../../test/fixtures/requirements.js';
import {
  postgresBin,
  postgresVersionsMissing,
  startPostgresServer,
  type PostgresServer,
  type PostgresVersion,
} from '../../../test/fixtures/servers/postgresVersions.js';
import { compareInventories } from '../../archive/compareInventories.js';
import type { Inventory } from '../inventory.js';
import { createPostgresqlEngine } from './postgresqlEngine.js';

const versions: readonly PostgresVersion[] = ['15', '18'];

describeWith({ 'postgresql-versions': postgresVersionsMissing }, 'an archive', () => {
  describe.each(versions)('of PostgreSQL %s', (version) => {
    const engine = createPostgresqlEngine({ tools: { folders: [postgresBin('18')] } });
    let server: PostgresServer;
    let folder: string;
    const context = () => ({ workFolder: folder, signal: AbortSignal.timeout(60_000) });
    const sql = (statements: string, database = 'shop') => server.sql(database, statements);
    const shop = () => server.connection({ databases: ['shop'] });
    const dropped = 'DROP DATABASE IF EXISTS shop WITH (FORCE)';

    beforeAll(async () => {
      folder = await mkdtemp(join(tmpdir(), 'stowage-archives-'));
      server = await startPostgresServer(version);
      await sql('CREATE ROLE "Clerk ""q"""', 'postgres');
    });
    afterEach(async () => {
      await sql(dropped, 'postgres');
    });
    afterAll(async () => {
      await engine.close();
      await server.stop();
      await rm(folder, { recursive: true });
    });

    async function dumpAndRestore(): Promise<DumpedAll> {
      const dumped = await dumpAll(engine, shop(), context());
      await sql(dropped, 'postgres');
      await restoreAll(engine, server.connection(), dumped, context());
      return dumped;
    }
    async function losses(expected: Inventory): Promise<readonly string[]> {
      const actual = await engine.inventory(shop(), context());
      return compareInventories(expected, actual).differences.flatMap(
        (each) => engine.judgeDifference(each, { expected, actual, changesByItself: false })?.sentence ?? [],
      );
    }

    test.each(['UTF8', 'LATIN1'])(
      'has the secrets in settings of a database in %s, and nothing else has them',
      async (encoding) => {
        await sql(
          `CREATE DATABASE shop TEMPLATE template0 ENCODING '${encoding}' LC_COLLATE 'C' LC_CTYPE 'C'`,
          'postgres',
        );
        const secrets = ["a ''secret'' \\ one;", 'line 1\nline 2; ü'];
        await sql(`CREATE TABLE t (id int); ALTER DATABASE shop SET app.token = '${secrets[0] ?? ''}';
          ALTER ROLE "Clerk ""q""" IN DATABASE shop SET app.token = '${secrets[1] ?? ''}'; ALTER DATABASE shop SET work_mem = '7MB'`);
        const settings = 'SELECT setrole::regrole, setconfig FROM pg_db_role_setting ORDER BY 1';
        const before = await sql(settings, 'postgres');
        const dumped = await dumpAndRestore();
        expect(JSON.stringify([dumped.report, dumped.inventory])).not.toMatch(/secret|line 1/);
        expect(JSON.stringify(dumped.inventory)).toContain('7MB');
        expect(await sql(settings, 'postgres')).toBe(before);
        expect(await losses(dumped.inventory)).toEqual([]);

        // An inventory of an older release has the values. A server in UTF8 does not convert those of other databases.
        const lossy = secrets[1]?.replace('ü', '\ufffd');
        const { databases } = dumped.inventory;
        const older = databases.map((each) => ({
          ...each,
          properties: {
            ...each.properties,
            settings: JSON.stringify([
              { role: 'Clerk "q"', name: 'app.token', value: encoding === 'UTF8' ? secrets[1] : lossy },
              { role: null, name: 'app.token', value: "a 'secret' \\ one;" },
              { role: null, name: 'work_mem', value: '7MB' },
            ]),
          },
        }));
        expect(await losses({ ...dumped.inventory, databases: older })).toEqual([]);
        await sql("ALTER DATABASE shop SET app.token = 'another one'");
        expect(await losses(dumped.inventory)).toEqual(["the database 'shop' has another settings"]);
        expect(await losses({ ...dumped.inventory, databases: older })).toHaveLength(1);
      },
    );

    test('has all large objects: one that is missing, or of another owner, is found', async () => {
      await sql('CREATE DATABASE shop', 'postgres');
      await sql(`SELECT lo_from_bytea(i, repeat('x', i - 69999)::bytea) FROM generate_series(70000, 71499) AS i;
        SELECT lo_from_bytea(69999, ''); ALTER LARGE OBJECT 70000 OWNER TO "Clerk ""q"""; GRANT SELECT ON LARGE OBJECT 70001 TO PUBLIC`);
      const { inventory } = await dumpAndRestore();
      expect(inventory.databases[0]?.tables).toMatchObject([
        { name: 'pg_catalog.pg_largeobject_metadata', rows: 1_501, type: 'LARGE OBJECTS' },
      ]);
      expect(await losses(inventory)).toEqual([]);
      await sql('SELECT lo_unlink(70500)');
      expect(await losses(inventory)).toEqual([
        "the table 'shop.pg_catalog.pg_largeobject_metadata' has 1500 of 1501 rows",
      ]);
      await sql(
        `SELECT lo_create(70500); ALTER LARGE OBJECT 70000 OWNER TO admin; REVOKE SELECT ON LARGE OBJECT 70001 FROM PUBLIC`,
      );
      expect((await losses(inventory)).join('\n')).toMatch(/differs in its owners[^]*differs in its grants/);
    });

    test('of a form that is not known is refused, because nothing in it can be checked', async () => {
      await sql('CREATE DATABASE shop', 'postgres');
      const tools = join(folder, 'tools');
      await mkdir(tools, { recursive: true });
      for (const name of ['pg_dump', 'pg_dumpall', 'pg_restore']) {
        const program = join(postgresBin(version), name);
        // The seventh byte is the version of the format.
        const newer = `exec "${program}" "$@" | perl -0777 -pe 'substr($_, 6, 1) = chr 17'`;
        const script = `#!/bin/sh\ncase "$1" in --version) exec "${program}" "$1" ;; esac\n`;
        await writeFile(join(tools, name), `${script}${name === 'pg_dump' ? newer : `exec "${program}" "$@"`}\n`);
        await chmod(join(tools, name), 0o755);
      }
      const newerEngine = createPostgresqlEngine({ tools: { folders: [tools] } });
      await expect(dumpAll(newerEngine, shop(), context())).rejects.toMatchObject({
        code: 'TOOL_VERSION',
        message: expect.stringContaining('could not be checked'),
      });
      await newerEngine.close();
    });
  });
});
