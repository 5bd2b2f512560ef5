import { dirname } from 'node:path';
import { MongoClient } from 'mongodb';
import { createMongodbEngine } from '../../src/engines/mongodb/mongodbEngine.js';
import { findClients } from '../../src/engines/process/programs.js';
import type { ServiceConnection } from '../../src/engines/serviceConnection.js';
import { mongodbContents } from '../fixtures/mongodbContents.js';
import { withSortedOptions } from '../fixtures/rawDifferences.js';
import { describeWith } from '../fixtures/requirements.js';
import { mongoMissing, startMongo } from '../fixtures/servers/mongo.js';
import { mongoTools, mongoToolsMissing } from '../fixtures/servers/mongoTools.js';
import { engineContract } from './engine.contract.js';

const needs = { mongodb: await mongoMissing(), 'mongo-tools': mongoToolsMissing() };

describeWith(needs, 'MongoDB', () => {
  engineContract('MongoDB', async () => {
    const [source, target] = await Promise.all([startMongo(), startMongo()]);
    const [client, targetClient] = [new MongoClient(source.url()), new MongoClient(target.url())];
    const harbour = client.db('harbour');
    await harbour.collection('ships').insertMany([
      { name: 'Anna', tons: 1.5 },
      { name: 'Bertha', tons: 3, crew: [{ name: 'Ä' }] },
    ]);
    await harbour.collection('ships').createIndexes([{ key: { name: 1 }, unique: true, name: 'by name' }]);
    await client.db('quay').collection('berths').insertOne({ free: true });
    const engine = createMongodbEngine({ tools: mongoTools });
    const [restoreTool = ''] = findClients('mongorestore', mongoTools);
    const connection = connectionTo(source.url());
    return {
      engine,
      source: connection,
      target: connectionTo(target.url()),
      nowhere: { ...connection, port: 1 },
      clearTarget: async () => {
        for (const name of ['harbour', 'quay']) await targetClient.db(name).dropDatabase();
      },
      contents: async ({ port }) => {
        const url = String(port) === new URL(target.url()).port ? target.url() : source.url();
        return withSortedOptions(await mongodbContents(url, ['harbour', 'quay']));
      },
      byHandFolder: dirname(restoreTool),
      byHandTarget: `--uri=${target.url()}`,
      stop: async () => {
        await Promise.all([engine.close(), client.close(), targetClient.close()]);
        await Promise.all([source.stop(), target.stop()]);
      },
    };
  });
});

function connectionTo(url: string): ServiceConnection {
  const { hostname, port } = new URL(url);
  return {
    ...{ host: hostname, port: Number(port), username: null, password: null, authSource: null, databases: null },
    tls: { mode: 'OFF', ca: null },
  };
}
