/**
 * The sample database of the quickstart for MongoDB, and the comparison after its restore. It is independent of Stowage:
 * the driver of MongoDB reads both servers, and the bytes of every document are compared.
 *
 *   node … scripts/quickstart-mongodb.ts mongodb://127.0.0.1:27017    loads the sample
 */
import { BSON, MongoClient } from 'mongodb';

const database = 'harbour';

if (process.argv[1]?.endsWith('quickstart-mongodb.ts') === true) await loadSample(process.argv[2] ?? '');

async function loadSample(url: string): Promise<void> {
  await onDatabase(url, async (client) => {
    const harbour = client.db(database);
    const names = ['Möwe', '海鸥', 'Sea 🐬 Breeze', 'L’Étoile "du" Nord', 'Ελπίδα'];
    await harbour
      .collection('ships')
      .insertMany(names.map((name, place) => ({ name, arrived: new Date(Date.UTC(2024, 1, 29 + place)) })));
    await harbour.collection('crates').insertMany(
      Array.from({ length: 8_000 }, (_, place) => ({
        ship: names[place % names.length],
        label: `crate ${place}${place % 7 === 0 ? ' 📦' : ''}`,
        weight: BSON.Decimal128.fromString(`${1 + ((place * 37) % 1999) / 2}0`),
        seal: new BSON.Binary(Buffer.alloc(32, place % 256)),
        contents: Array.from({ length: 1 + (place % 5) }, (_item, item) => ({ item, empty: '', '': null })),
      })),
    );
    await harbour.command({
      createIndexes: 'crates',
      indexes: [
        { key: { ship: 1, label: -1 }, name: 'by ship' },
        { key: { label: 1 }, name: 'by label', unique: true, partialFilterExpression: { label: { $gt: 'crate 1' } } },
      ],
    });
  });
}

/** Returns how much is identical, as a text. Undefined: the two servers differ. */
export async function identicalMongodb(source: string, target: string): Promise<string | undefined> {
  const [one, other] = [await contentOf(source), await contentOf(target)];
  if (one.documents.length === 0 || one.documents.length !== other.documents.length) return undefined;
  const isEqual = one.documents.every((document, place) => other.documents[place]?.equals(document));
  if (!isEqual || one.indexes !== other.indexes) return undefined;
  return `${one.documents.length} documents byte by byte, and their indexes`;
}

async function contentOf(url: string): Promise<{ readonly documents: readonly Buffer[]; readonly indexes: string }> {
  const documents: Buffer[] = [];
  const indexes: string[] = [];
  await onDatabase(url, async (client) => {
    const collections = await client.db(database).listCollections({}, { nameOnly: true }).toArray();
    for (const name of collections.map((each) => each.name).sort()) {
      const collection = client.db(database).collection(name);
      for await (const raw of collection.find({}, { raw: true, sort: { _id: 1 } })) {
        documents.push(Buffer.from(raw as unknown as Uint8Array));
      }
      for (const { key, ...options } of await collection.indexes()) {
        indexes.push(`${name} ${JSON.stringify(key)} ${JSON.stringify(Object.entries(options).sort())}`);
      }
    }
  });
  return { documents, indexes: indexes.sort().join('\n') };
}

async function onDatabase(url: string, work: (client: MongoClient) => Promise<void>): Promise<void> {
  const client = new MongoClient(url, { directConnection: true });
  try {
    await work(client);
  } finally {
    await client.close();
  }
}
