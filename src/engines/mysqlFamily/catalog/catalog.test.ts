import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { describeWith } from '../../../../test/fixtures/requirements.js';
import { anySession } from '../../../../test/fixtures/mariadbSession.js';
import { mariadbMissing, startMariadb, type MariadbServer } from '../../../../test/fixtures/servers/mariadb.js';
import { Secret } from '../../../secret.js';
import { readCatalog, readNames, type Catalog } from './catalog.js';
import { createMariadbEngine } from '../../mariadb/mariadbEngine.js';
import { refuseBrokenViews } from '../checks/losses.js';
import { listDatabases } from './selection.js';
import { withSession, type Session } from '../session/session.js';

describeWith({ mariadb: mariadbMissing }, 'The catalog of a server', () => {
  let server: MariadbServer;

  beforeAll(async () => {
    server = await startMariadb();
    await server.sql(`CREATE DATABASE \`f-ä/x\`; CREATE DATABASE g; CREATE DATABASE v;
      CREATE TABLE \`f-ä/x\`.\`p.ö\` (i INT PRIMARY KEY);
      CREATE TABLE g.\`c'd\` (i INT, CONSTRAINT \`k/y\` FOREIGN KEY (i) REFERENCES \`f-ä/x\`.\`p.ö\` (i));
      CREATE TABLE g.within (i INT PRIMARY KEY, j INT, FOREIGN KEY (j) REFERENCES g.within (i));
      CREATE USER unprivileged@'%' IDENTIFIED BY 'pw';
      GRANT SELECT, TRIGGER, EVENT, SHOW VIEW, EXECUTE ON *.* TO unprivileged@'%'; GRANT SELECT ON mysql.proc TO unprivileged@'%';`);
  });
  afterAll(() => server.stop());

  const withSessionOn = <T>(work: (session: Session) => Promise<T>, connection = server.connection()) =>
    withSession(connection, { signal: new AbortController().signal, ...anySession() }, work);
  const catalogOf = (database: string, connection = server.connection()): Promise<Catalog> =>
    withSessionOn(async (session) => {
      const databases = (await listDatabases(session)).filter(({ name }) => name === database);
      return readCatalog(session, databases);
    }, connection);
  const unprivileged = () => server.connection({ username: 'unprivileged', password: new Secret('pw') });

  test.each([
    ['with', () => server.connection()],
    ['without', unprivileged],
  ])(
    'names the foreign keys into other databases for a user %s the privilege to read InnoDB’s own list',
    async (_, connection) => {
      const { foreignKeys } = await catalogOf('g', connection());
      expect(foreignKeys).toEqual([{ database: 'g', name: 'k/y', table: "c'd", referencedDatabase: 'f-ä/x' }]);
    },
  );

  test('finds the views that cannot be opened in the list of tables, and queries only those views', async () => {
    await server.sql(`USE v; CREATE TABLE a (i INT, j INT); CREATE TABLE b (i INT); CREATE FUNCTION f() RETURNS INT RETURN 1;
      CREATE VIEW healthy AS SELECT i FROM a; CREATE VIEW no_table AS SELECT * FROM b; CREATE VIEW no_column AS SELECT j FROM a;
      CREATE VIEW no_function AS SELECT f() AS x; CREATE VIEW on_broken AS SELECT * FROM no_table;
      CREATE DEFINER=gone@nowhere VIEW no_definer AS SELECT i FROM a;
      DROP TABLE b; ALTER TABLE a DROP COLUMN j; DROP FUNCTION f;`);
    const catalog = await catalogOf('v');
    const broken = ['no_column', 'no_function', 'no_table', 'on_broken'];
    expect(catalog.views.filter(({ opens }) => !opens).map(({ name }) => name)).toEqual(broken);
    const queries: string[] = [];
    const refusal = withSessionOn((session) =>
      refuseBrokenViews(
        {
          ...session,
          query: (sql, ...rest) => {
            queries.push(sql);
            return session.query(sql, ...rest);
          },
        },
        catalog,
      ),
    );
    await expect(refusal).rejects.toMatchObject({
      code: 'TOOL_FAILED',
      message: expect.stringContaining(broken.map((name) => `v.${name}`).join(', ')),
    });
    expect(queries).toEqual(broken.map((name) => `SHOW FIELDS FROM \`v\`.\`${name}\``));
    await server.sql('DROP DATABASE v');
  });

  test('opens no table for the check or to list names', async () => {
    const many = Array.from({ length: 60 }, (_, index) => `t${index}`);
    await server.sql(`CREATE DATABASE many; USE many; ${many.map((name) => `CREATE TABLE ${name} (a INT);`).join(' ')}
      FLUSH TABLES;`);
    const opened = async () => Number((await server.sql("SHOW GLOBAL STATUS LIKE 'Opened_tables'")).split('\t')[1]);
    const before = await opened();
    const signal = new AbortController().signal;
    const steps = await createMariadbEngine().check(server.connection({ databases: ['many'] }), {
      signal,
      timeoutMs: 20_000,
    });
    expect(steps.every(({ status }) => status === 'OK')).toBe(true);
    await withSessionOn(async (session) => {
      const databases = (await listDatabases(session)).filter(({ name }) => name === 'many');
      expect((await readNames(session, databases)).tables.map(({ name }) => name)).toEqual(many.sort());
    });
    const afterwards = await opened();
    await catalogOf('many');
    // The queries open the server's own tables of users, routines and events.
    expect(afterwards - before).toBeLessThan(many.length);
    expect((await opened()) - afterwards).toBeGreaterThanOrEqual(many.length);
  });
});
