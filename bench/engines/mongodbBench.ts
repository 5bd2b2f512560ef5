import { createHash } from 'node:crypto';
import { dirname } from 'node:path';
import { MongoClient } from 'mongodb';
import { createMongodbEngine } from '../../src/engines/mongodb/mongodbEngine.js';
import { findClients } from '../../src/engines/process/programs.js';
import type { ServiceConnection } from '../../src/engines/serviceConnection.js';
import { startMongo } from '../../test/fixtures/servers/mongo.js';
import { mongoTools } from '../../test/fixtures/servers/mongoTools.js';
import type { BenchEngine } from './benchEngine.js';
import { ordersOf, word } from './orders.js';

const batchRows = 5_000;

/** Without a mongod the servers are mongo-java-server, which is slower. The ratios hold for it too. */
export async function mongodbBench(): Promise<BenchEngine> {
  const [source, target] = await Promise.all([startMongo(), startMongo()]);
  const [client, targetClient] = [new MongoClient(source.url()), new MongoClient(target.url())];
  const [mongodump = 'mongodump'] = findClients('mongodump', mongoTools);
  const connectionTo = (url: string): ServiceConnection => ({
    ...{ host: new URL(url).hostname, port: Number(new URL(url).port), username: null, password: null },
    ...{ authSource: null, databases: null, tls: { mode: 'OFF', ca: null } },
  });
  const bench = client.db('bench');
  return {
    engine: createMongodbEngine({ tools: mongoTools }),
    source: { ...connectionTo(source.url()), databases: ['bench'] },
    target: connectionTo(target.url()),
    dumpCommand: `${mongodump} --quiet --archive --db=bench --uri=${source.url()}`,
    restoreCommand: `${dirname(mongodump)}/mongorestore --quiet --archive --stopOnError --uri=${target.url()}`,
    async fillOrders(gib) {
      const orders = bench.collection('orders');
      for (let begin = 0; begin < ordersOf(gib); begin += batchRows) {
        const rows = Array.from({ length: Math.min(batchRows, ordersOf(gib) - begin) }, (_, row) => order(begin + row));
        await orders.insertMany(rows);
      }
    },
    async makeTables(tables) {
      for (let number = 0; number < tables; number += 1) {
        const rows = Array.from({ length: 10 }, (_, row) => ({ name: `name ${row}`, note: 'words '.repeat(row) }));
        await bench.collection(`t${number}`).insertMany(rows);
      }
    },
    clearTarget: () =>
      targetClient
        .db('bench')
        .dropDatabase()
        .then(() => undefined),
    async stop() {
      await Promise.all([client.close(), targetClient.close()]);
      await Promise.all([source.stop(), target.stop()]);
    },
  };
}

function order(id: number) {
  return {
    ...{
      customer: id % 90_000,
      placed: new Date(1_577_836_800_000 + id * 37_000),
      email: `${word(id)}.${id}@example.com`,
    },
    ...{
      amount: (id % 1_000_000) / 100,
      note: Array.from({ length: 11 }, (_, place) => word(id * (place + 3))).join(' '),
    },
    token: createHash('sha256').update(String(id)).digest('hex'),
  };
}
