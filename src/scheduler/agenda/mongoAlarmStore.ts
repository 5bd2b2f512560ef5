import { MongoJobRepository } from '@agendajs/mongo-backend';
import { MongoBulkWriteError, MongoServerError, ObjectId, type Db, type MongoClient } from 'mongodb';
import type { AlarmData, AlarmDocument } from './alarmDocument.js';
import type { AlarmStore, StoredAlarm } from './alarmStore.js';

/** The collection of the alarms. */
export const collectionName = 'alarms';

/** The fields that Agenda writes for a new job besides name, data and time: MongoJobRepository.saveJob of 4.0.3. */
const untouched = {
  type: 'normal',
  priority: 0,
  lockedAt: null,
  lastFinishedAt: null,
  failedAt: null,
  failCount: null,
  failReason: null,
  repeatTimezone: null,
  lastRunAt: null,
  repeatInterval: null,
  repeatAt: null,
  disabled: null,
  progress: null,
  debounceStartedAt: null,
  fork: null,
  startDate: null,
  endDate: null,
  skipDays: null,
  lastModifiedBy: null,
} as const;

type MongoAlarm = {
  readonly name: string;
  readonly nextRunAt: Date | null;
  /** Agenda unlocks by setting the field to null or by removing it. */
  readonly lockedAt?: Date | null;
  readonly data: AlarmData;
};

const duplicateKey = 11_000;

/** The alarms that Agenda will still run. */
const alive = { $or: [{ nextRunAt: { $ne: null } }, { lockedAt: { $ne: null } }] };

/** Alarms in MongoDB. It uses only single documents and a unique index, so it needs no transactions and no replica set. */
export class MongoAlarmStore implements AlarmStore {
  readonly repository: MongoJobRepository;
  readonly #client: MongoClient;
  readonly #db: Db;

  /** Owns the client: `close` closes it. */
  constructor(
    client: MongoClient,
    databaseName: string,
    readonly name: string,
  ) {
    this.#client = client;
    this.#db = client.db(databaseName);
    this.repository = new MongoJobRepository({ mongo: this.#db, db: { collection: collectionName } });
  }

  async prepare(): Promise<void> {
    await this.repository.connect();
    try {
      await this.#createKeyIndex();
    } catch (error) {
      if (!(error instanceof MongoServerError && error.code === duplicateKey)) throw error;
      await this.#removeDuplicates();
      await this.#createKeyIndex();
    }
  }

  async #createKeyIndex(): Promise<void> {
    await this.#alarms().createIndex({ 'data.key': 1 }, { name: 'alarmKey', unique: true }, {});
  }

  /**
   * Removes duplicates. If the collection is dropped while several processes insert, the new one has no unique index,
   * and they may insert the same alarms. This keeps one of each.
   */
  async #removeDuplicates(): Promise<void> {
    const ofEachKey = { $group: { _id: '$data.key', ids: { $push: '$_id' } } };
    const found = await this.#alarms()
      .aggregate<{ ids: ObjectId[] }>([ofEachKey, { $match: { 'ids.1': { $exists: true } } }])
      .toArray();
    await this.#alarms().deleteMany({ _id: { $in: found.flatMap(({ ids }) => ids.slice(1)) } });
  }

  async find(keys: readonly string[]): Promise<StoredAlarm[]> {
    const found = await this.#alarms()
      .find({ 'data.key': { $in: [...keys] } }, { projection: { data: 1, nextRunAt: 1, lockedAt: 1 } })
      .toArray();
    return found.map(({ _id, data, nextRunAt, lockedAt }) => ({
      id: _id.toHexString(),
      key: data.key,
      at: data.at,
      dead: nextRunAt === null && (lockedAt ?? null) === null,
    }));
  }

  async insert(documents: readonly AlarmDocument[]): Promise<number> {
    // The next insert creates a dropped collection again, but without its unique index.
    await this.prepare();
    try {
      const inserted = await this.#alarms().insertMany(
        documents.map((document) => ({ ...untouched, ...document })),
        { ordered: false },
      );
      return inserted.insertedCount;
    } catch (error) {
      if (error instanceof MongoBulkWriteError && onlyDuplicates(error)) return error.insertedCount;
      throw error;
    }
  }

  async removeByIds(ids: readonly string[]): Promise<void> {
    await this.#alarms().deleteMany({ _id: { $in: ids.map((id) => new ObjectId(id)) } });
  }

  async removeByKeys(keys: readonly string[]): Promise<void> {
    await this.#alarms().deleteMany({ 'data.key': { $in: [...keys] } });
  }

  async isAnyDue(until: Date, lockedBefore: Date): Promise<boolean> {
    const due = { $or: [{ lockedAt: null, nextRunAt: { $lte: until } }, { lockedAt: { $lte: lockedBefore } }] };
    return (await this.#alarms().findOne(due, { projection: { _id: 1 } })) !== null;
  }

  async list(): Promise<unknown[]> {
    const found = await this.#alarms()
      .find(alive, { projection: { data: 1 } })
      .toArray();
    return found.map(({ data }) => data);
  }

  async count(name: string): Promise<number> {
    return this.#alarms().countDocuments({ name, ...alive });
  }

  async ping(): Promise<void> {
    await this.#db.command({ ping: 1 });
  }

  async close(): Promise<void> {
    await this.#client.close();
  }

  #alarms() {
    return this.#db.collection<MongoAlarm>(collectionName);
  }
}

function onlyDuplicates(error: MongoBulkWriteError): boolean {
  return [error.writeErrors].flat().every(({ code }) => code === duplicateKey);
}
