import { createHash } from 'node:crypto';
import { dirname } from 'node:path';
import { Binary, MongoClient, type Document } from 'mongodb';
import { createMongodbEngine } from '../../../src/engines/mongodb/mongodbEngine.js';
import { findClients } from '../../../src/engines/process/programs.js';
import { mongodbContents, type CollectionContents, type MongodbContents } from '../../fixtures/mongodbContents.js';
import { withSortedOptions } from '../../fixtures/rawDifferences.js';
import { startMongo } from '../../fixtures/servers/mongo.js';
import { mongoTools } from '../../fixtures/servers/mongoTools.js';
import type { EngineServers } from './engineGround.js';

type Collection = { readonly name: string; readonly documents: readonly (Document & { readonly _id: number })[] };

export async function mongodbServers(): Promise<EngineServers> {
  const [source, target] = await Promise.all([startMongo(), startMongo()]);
  const urls = { source: source.url(), target: target.url() };
  const clients = { source: new MongoClient(urls.source), target: new MongoClient(urls.target) };
  const shop = clients.source.db('shop');
  const create = async ({ name, documents }: Collection) => {
    await shop.collection<Collection['documents'][number]>(name).insertMany([...documents]);
    await shop.collection(name).createIndexes([{ key: { number: 1 }, name: 'by number', unique: true }]);
  };
  await create(noise);
  await create(words);
  const [dump = ''] = findClients('mongodump', mongoTools);
  return {
    ...{ dumpTool: 'mongodump', restoreTool: 'mongorestore', toolFolder: dirname(dump) },
    besideTool: ['mongodump', 'mongorestore'],
    login: { username: null, password: null },
    settings: {},
    ports: { source: Number(new URL(urls.source).port), target: Number(new URL(urls.target).port) },
    createEngine: (tools) => createMongodbEngine({ tools }),
    async contents(of) {
      const { databases } = await clients[of].db().admin().listDatabases();
      if (!databases.some(({ name }) => name === 'shop')) return undefined;
      const found = withSortedOptions(await mongodbContents(urls[of], ['shop'])) as MongodbContents;
      return JSON.stringify(
        Object.keys(found)
          .toSorted()
          .map((name) => digested(name, found[name])),
      );
    },
    clearTarget: () =>
      clients.target
        .db('shop')
        .dropDatabase()
        .then(() => undefined),
    dropLastTable: () =>
      shop
        .collection('words')
        .drop()
        .then(() => undefined),
    async createLastTable() {
      const names = (await shop.listCollections().toArray()).map(({ name }) => name);
      if (!names.includes('words')) await create(words);
    },
    async stop() {
      await Promise.all([clients.source.close(), clients.target.close()]);
      await Promise.all([source.stop(), target.stop()]);
    },
  };
}

function digested(name: string, collection: CollectionContents | undefined): unknown {
  const { documents = [], ...rest } = collection ?? {};
  const hash = createHash('sha256');
  for (const document of documents) hash.update(document);
  return { name, documents: documents.length, digest: hash.digest('hex'), ...rest };
}

const sha512 = (text: string) => createHash('sha512').update(text).digest();

/** About 4 MB that do not compress. */
const noise: Collection = {
  name: 'noise',
  documents: Array.from({ length: 4_000 }, (_, number) => ({
    ...{ _id: number, number },
    b: new Binary(Buffer.concat(Array.from({ length: 16 }, (_, piece) => sha512(`${number} ${piece}`)))),
  })),
};
const words: Collection = {
  name: 'words',
  documents: Array.from({ length: 15_000 }, (_, number) => ({
    ...{ _id: number, number },
    note: `Ladung ${sha512(String(number)).toString('hex').slice(0, 64)} für Kai 🚢 ${number % 17}`,
  })),
};
