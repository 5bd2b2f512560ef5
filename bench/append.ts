/**
 * Measures commands a second with 1, 16 and 64 clients: through GraphQL over HTTP (createProject, the API as `stowage serve`
 * composes it), and through the event store (load, decide, read model, append). It compares both with direct calls of the
 * append function under the same load. PostgreSQL is temporary and has fsync off: the ratio is the result, not the absolute
 * numbers. The API has its usual 10 connections, the others one for each client. The clients of the API run in its process.
 *
 *   node --import @swc-node/register/esm-register bench/append.ts [seconds]
 */
import { randomUUID } from 'node:crypto';
import { createDataSource } from '../ormconfig.js';
import { createEventStore } from '../src/postgres/eventStore.js';
import { schemaStamp } from '../src/postgres/migrate.js';
import { counter, counterView, createCounterView, tester } from '../test/fixtures/counter.js';
import { startPostgres } from '../test/fixtures/servers/postgres.js';
import { brief, positionals } from './brief.js';
import { startRealApi } from './realApi.js';

const seconds = Number(positionals[0] ?? (brief ? 0.2 : 5));
const postgres = await startPostgres();
try {
  await createCounterView(await postgres.connect(postgres.ownerUrl));
  const api = await startRealApi(await postgres.createDatabase());
  const mutation = () =>
    api.call('mutation ($name: String!) { createProject(name: $name) { id } }', { name: randomUUID() });
  const table = [];
  for (const clients of brief ? [1, 4] : [1, 16, 64]) {
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
    await rate(clients, 0.5, mutation);
    const mutations = await rate(clients, seconds, mutation);
    const commands = await rate(clients, seconds, command);
    const appends = await rate(clients, seconds, append);
    table.push({
      clients,
      'GraphQL/s': Math.round(mutations),
      'commands/s': Math.round(commands),
      'bare appends/s': Math.round(appends),
      'GraphQL : bare': (mutations / appends).toFixed(2),
      'commands : bare': (commands / appends).toFixed(2),
    });
    await app.destroy();
  }
  await api.stop();
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
