import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { compareInventories } from '../../archive/compareInventories.js';
import { dumpAll, restoreAll, type DumpedAll } from '../../../test/fixtures/dumpAllParts.js';
import { postgresFingerprint } from '../../../test/fixtures/postgresFingerprint.js';
import { describeWith } from '../../../test/fixtures/requirements.js';
import {
  postgresBin,
  postgresVersionsMissing,
  startPostgresServer,
  type PostgresServer,
  type PostgresVersion,
} from '../../../test/fixtures/servers/postgresVersions.js';
import { createPostgresqlEngine } from './postgresqlEngine.js';

const name = 'nasty "Db" 🗄';

describeWith({ 'postgresql-versions': postgresVersionsMissing }, 'a nasty database', () => {
  const pairs: readonly (readonly [PostgresVersion, PostgresVersion])[] = [
    ['15', '15'],
    ['15', '18'],
    ['18', '18'],
  ];
  describe.each(pairs)('from PostgreSQL %s to %s', (from, to) => {
    const engine = createPostgresqlEngine({ tools: { folders: [postgresBin('18')] } });
    let [source, target]: PostgresServer[] = [];
    let folder: string;
    let dumped: DumpedAll;
    const of = (server: PostgresServer | undefined): PostgresServer => {
      if (server === undefined) throw new Error('The server was not started.');
      return server;
    };
    /** Servers up to 15 show the columns of views with the name of their table. */
    const fingerprint = async (server: PostgresServer | undefined) =>
      (await postgresFingerprint(of(server), name, to)).replaceAll(/\b(?:happy|"Orders")\.|"Orders"\./g, '');
    const context = () => ({ workFolder: folder, signal: AbortSignal.timeout(60_000) });
    const inventoryOfTarget = () => engine.inventory(of(target).connection({ databases: [name] }), context());
    const losses = async () => {
      const expected = dumped.inventory;
      const actual = await inventoryOfTarget();
      return compareInventories(expected, actual)
        .differences.map((each) => engine.judgeDifference(each, { expected, actual, changesByItself: false }))
        .filter((each) => each !== null)
        .map(({ sentence }) => sentence);
    };

    beforeAll(async () => {
      folder = await mkdtemp(join(tmpdir(), 'stowage-nasty-'));
      [source, target] = await Promise.all([startPostgresServer(from), startPostgresServer(to)]);
      await source.sql('postgres', await readFile('test/fixtures/nastyPostgres.sql', 'utf8'));
      dumped = await dumpAll(engine, source.connection({ databases: [name] }), context());
      const { warnings } = await engine.restorePreflight(
        target.connection(),
        { inventory: dumped.inventory },
        context(),
      );
      expect(warnings).toEqual([
        expect.stringContaining('without members: Owner "quoted", reader, writer.'),
        ...(from === to ? [] : [expect.stringContaining('postgres_fdw 1.2 instead of 1.1')]),
        expect.stringMatching(/materialized views [^\n]*: public\.totals\.$/),
      ]);
      await restoreAll(engine, target.connection(), dumped, context());
    });
    afterAll(async () => {
      await engine.close();
      await Promise.all([source?.stop(), target?.stop()]);
      await rm(folder, { recursive: true });
    });

    test('comes back identical', async () => {
      expect(await fingerprint(target)).toBe(await fingerprint(source));
      expect(await losses()).toEqual([]);
    });

    test('is counted row by row in its dump', () => {
      const [database] = dumped.inventory.databases;
      const rows = Object.fromEntries(database?.tables.map((table) => [table.name, table.rows]) ?? []);
      expect(rows).toMatchObject({
        'public.Orders': 200,
        'public.no_columns': 2,
        'public.parent': 1,
        'public.events': null,
        'public.events_2025': 1,
        '"weird schema"."table\nwith a line break"': 5,
        'public.é': 1,
      });
    });

    /** Definitions are compared only between servers of one major version. */
    const planted = [
      ['a row', `DELETE FROM public."Orders" WHERE id = (SELECT min(id) FROM public."Orders")`, /has 199 of 200 rows/],
      ['an index', 'DROP INDEX public.trigrams', /index trigrams/],
      ['a privilege', 'GRANT SELECT ON public.tuned TO PUBLIC', /grants/],
      ['a policy', 'DROP POLICY never ON public.private', /policy never/],
      ['a trigger that is on', 'ALTER TABLE public.parent ENABLE TRIGGER off_trigger', /trigger off_trigger/],
      ['an owner', 'ALTER TABLE public."Orders" OWNER TO writer', /owner/],
      [
        'the code of a function',
        'CREATE OR REPLACE FUNCTION public.secret() RETURNS integer LANGUAGE sql AS $$SELECT 43$$',
        /secret/,
      ],
      ['a setting', `ALTER DATABASE "nasty ""Db"" 🗄" RESET statement_timeout`, /settings/],
      ['a privilege on the database', `GRANT CONNECT ON DATABASE "nasty ""Db"" 🗄" TO PUBLIC`, /grants/],
      ['an event trigger', 'DROP EVENT TRIGGER guard', /guard/],
    ] as const;
    test.each(from === to ? planted : planted.slice(0, 1))(
      'the comparison finds a planted difference: %s',
      async (_what, change, expected) => {
        await of(target).sql(name, `SET default_transaction_read_only = off; ${change};`);
        expect((await losses()).join('\n')).toMatch(expected);
        expect(await fingerprint(target)).not.toBe(await fingerprint(source));
      },
    );
  });
});
