import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createPostgresqlEngine } from '../../src/engines/postgresql/postgresqlEngine.js';
import { postgresBin, startPostgresServer, type PostgresServer } from '../../test/fixtures/servers/postgresVersions.js';
import type { BenchEngine } from './benchEngine.js';
import { ordersOf, wordOf } from './orders.js';

/** A dump of 10,000 tables locks all of them in one transaction. */
const settings = ['shared_buffers=128MB', 'max_locks_per_transaction=512', 'max_wal_size=2GB'];

export async function postgresqlBench(folder: string): Promise<BenchEngine> {
  const [source, target] = await Promise.all([
    startPostgresServer('15', settings),
    startPostgresServer('15', settings),
  ]);
  const passwords = join(folder, 'pgpass');
  const escaped = ({ password }: PostgresServer) => password.replaceAll('\\', '\\\\').replaceAll(':', '\\:');
  const lines = [source, target].map((server) => `127.0.0.1:${server.port}:*:${server.username}:${escaped(server)}\n`);
  await writeFile(passwords, lines.join(''), { mode: 0o600 });
  const program = (name: string, { port, username }: PostgresServer) =>
    `PGPASSFILE=${passwords} ${postgresBin('15')}/${name} --host=127.0.0.1 --port=${port} --username=${username}`;
  return {
    engine: createPostgresqlEngine({ tools: { folders: [postgresBin('15')] } }),
    source: source.connection({ databases: ['bench'] }),
    target: target.connection(),
    dumpCommand: `${program('pg_dump', source)} --format=custom --compress=0 bench`,
    restoreCommand: `${program('pg_restore', target)} --exit-on-error --create --dbname=postgres`,
    async fillOrders(gib) {
      await source.sql('postgres', 'CREATE DATABASE bench');
      const choose = (pick: string, values: readonly string[]) =>
        `(ARRAY[${values.join(', ')}])[1 + ${pick} % ${values.length}]`;
      const word = (seed: number) => wordOf(`abs(hashint8(n * ${seed}) / 2)`, choose);
      await source.sql(
        'bench',
        `CREATE TABLE orders (id bigint, customer int NOT NULL, placed timestamp NOT NULL, email text NOT NULL,
           amount numeric(10,2) NOT NULL, note text NOT NULL, token text NOT NULL);
         INSERT INTO orders SELECT n, n % 90000, timestamp '2020-01-01' + n * interval '37 s',
           ${word(5)} || '.' || n % 100000 || '@example.com', (n % 1000000) / 100.0,
           concat_ws(' ', ${[13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53].map(word).join(', ')}),
           encode(sha256(n::text::bytea), 'hex') FROM generate_series(1, ${ordersOf(gib)}) n;
         ALTER TABLE orders ADD PRIMARY KEY (id); ANALYZE;`,
      );
    },
    async makeTables(tables) {
      await source.sql('postgres', 'CREATE DATABASE bench');
      for (let begin = 0; begin < tables; begin += 500) {
        const end = Math.min(tables, begin + 500) - 1;
        await source.sql(
          'bench',
          `DO $$ BEGIN FOR i IN ${begin}..${end} LOOP
             EXECUTE format('CREATE TABLE t%s (id int PRIMARY KEY, name text NOT NULL, note text)', i);
             EXECUTE format('CREATE INDEX ON t%s (name)', i);
             EXECUTE format('INSERT INTO t%s SELECT n, ''name '' || n, repeat(''words '', n) FROM generate_series(1, 10) n', i);
           END LOOP; END $$;`,
        );
      }
    },
    clearTarget: () => target.sql('postgres', 'DROP DATABASE IF EXISTS bench WITH (FORCE)').then(() => undefined),
    stop: () => Promise.all([source.stop(), target.stop()]).then(() => undefined),
  };
}
