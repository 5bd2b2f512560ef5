/**
 * Commands a second through the event store (load, decide, read model, append) with 1, 16 and 64 clients, against the
 * append function called bare under the same load. On a throw-away PostgreSQL with fsync off: the ratio is the figure,
 * not the absolute numbers.
 *
 *   node --import @swc-node/register/esm-register bench/append.ts [seconds]
 */
import { randomUUID } from 'node:crypto';
import { createDataSource } from '../ormconfig.js';
import { createEventStore } from '../src/postgres/eventStore.js';
import { schemaStamp } from '../src/postgres/migrate.js';
import { counter, counterView, createCounterView, tester } from '../test/fixtures/counter.js';
import { startPostgres } from '../test/fixtures/postgres.js';

const seconds = Number(process.argv[2] ?? 5);
const postgres = await startPostgres();
try {
  await createCounterView(await postgres.connect(postgres.ownerUrl));
  const table = [];
  for (const clients of [1, 16, 64]) {
    const app = await createDataSource({ url: postgres.appUrl, poolSize: clients }).initialize();
    const store = createEventStore({ dataSource: app, projections: [counterView], deciders: [counter] });
    const stamp = schemaStamp(app);
    const command = () =>
      store.transact(tester, (tx) => tx.execute(counter, { id: randomUUID(), projectId: 'bench' }, { by: 1 }));
    const append = () =>
      app.query('SELECT append_events($1, $2)', [
        stamp,
        JSON.stringify([
          {
            event_id: randomUUID(),
            stream_id: randomUUID(),
            stream_type: 'counter',
            version: 1,
            type: 'Counted',
            schema_version: 1,
            data: { by: 1 },
            metadata: tester,
            project_id: 'bench',
          },
        ]),
      ]);
    await rate(clients, 0.5, command);
    const [commands, appends] = [await rate(clients, seconds, command), await rate(clients, seconds, append)];
    table.push({
      clients,
      'commands/s': Math.round(commands),
      'bare appends/s': Math.round(appends),
      ratio: (commands / appends).toFixed(2),
    });
    await app.destroy();
  }
  console.table(table);
} finally {
  await postgres.stop();
}

async function rate(clients: number, forSeconds: number, once: () => Promise<unknown>): Promise<number> {
  const begin = performance.now();
  let done = 0;
  const client = async () => {
    while (performance.now() - begin < forSeconds * 1000) {
      await once();
      done += 1;
    }
  };
  await Promise.all(Array.from({ length: clients }, client));
  return done / ((performance.now() - begin) / 1000);
}
