import { MongoJobRepository } from '@agendajs/mongo-backend';
import { Agenda } from 'agenda';
import { expect, test } from '@jest/globals';
import { MongoClient, MongoServerError, type Db } from 'mongodb';
import { alarmClockContract, type AlarmClockSubject } from '../../../test/contracts/alarmClock.contract.js';
import { freePorts } from '../../../test/fixtures/servers/freePorts.js';
import { mongoMissing, startMongo } from '../../../test/fixtures/servers/mongo.js';
import { describeWith } from '../../../test/fixtures/requirements.js';
import { until } from '../../../test/fixtures/until.js';
import { Secret } from '../../secret.js';
import { alarmKey, type Alarm, type AlarmClock } from '../alarmClock.js';
import { openMongoAlarmClock } from './mongoAlarmClock.js';
import { collectionName } from './mongoAlarmStore.js';

const onError = () => undefined;

describeWith({ mongodb: await mongoMissing() }, 'alarm clock in MongoDB', () => {
  alarmClockContract(start);

  test('throws UNAVAILABLE for a missing server, without the password', async () => {
    const url = new Secret(`mongodb://me:geheim@127.0.0.1:${await freePorts(1)}/x`);
    const failure = await openMongoAlarmClock({ url, onError }).catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: 'UNAVAILABLE', message: expect.stringContaining('MongoDB at 127.0.0.1:') });
    expect(String(failure)).not.toContain('geheim');
  });

  test('starts and sets alarms although two processes have set the same alarm in a collection that was just dropped', async () => {
    const server = await startMongo();
    const url = server.newDatabaseUrl();
    const client = await MongoClient.connect(url);
    const clocks: AlarmClock[] = [];
    try {
      const open = async () => {
        const clock = await openMongoAlarmClock({ url: new Secret(url), onError });
        clocks.push(clock);
        return clock;
      };
      const clock = await open();
      const [twice, once] = ['twice', 'once'].map((jobId): Alarm => {
        return { kind: 'JOB_DUE', jobId, at: new Date('2100-01-01T00:00:00.000Z') };
      }) as [Alarm, Alarm];
      await clock.set(twice);
      const alarms = client.db().collection(collectionName);
      const { _id: _, ...document } = (await alarms.findOne()) ?? {};
      await alarms.drop();
      await alarms.insertMany([{ ...document }, { ...document }]);

      await clock.set(once);
      const listed = await (await open()).list();
      expect(new Map(listed.map((alarm) => [alarmKey(alarm), alarm]))).toEqual(
        new Map([twice, once].map((alarm) => [alarmKey(alarm), alarm])),
      );
      expect(listed).toHaveLength(2);
      await expect(alarms.insertOne({ ...document })).rejects.toThrow('duplicate key');
    } finally {
      for (const clock of clocks) await clock.stop();
      await client.close();
      await server.stop();
    }
  });

  test('throws BAD_INPUT for a malformed URL, without repeating it', async () => {
    const failure = await openMongoAlarmClock({ url: new Secret('mongo//me:geheim@host'), onError }).catch(
      (error: unknown) => error,
    );
    expect(failure).toMatchObject({ code: 'BAD_INPUT' });
    expect(String(failure)).not.toContain('geheim');
  });
});

async function start(): Promise<AlarmClockSubject> {
  const server = await startMongo();
  return {
    kind: 'mongo',
    stop: () => server.stop(),
    async newStore() {
      const url = server.newDatabaseUrl();
      const client = await MongoClient.connect(url);
      const db = client.db();
      return {
        url,
        open: (options, through = url) => openMongoAlarmClock({ url: new Secret(through), ...options }),
        documents: () =>
          db
            .collection(collectionName)
            .find({}, { projection: { _id: 0 } })
            .toArray(),
        async saveByAgenda(name, nextRunAt, data) {
          const repository = new MongoJobRepository({ mongo: db, db: { collection: collectionName } });
          const nothing = () => Promise.resolve();
          const agenda = new Agenda({
            backend: { name: 'bare', repository, connect: () => repository.connect(), disconnect: nothing },
          });
          await agenda.schedule(nextRunAt, name, data);
        },
        drop: () => dropAll(db),
        interrupt: () => server.interrupt(),
        async close() {
          await dropAll(db);
          await client.close();
        },
      };
    },
  };
}

/** Drops a database. mongo-java-server throws while a killed client's last write still fills an index that it drops. */
async function dropAll(db: Db): Promise<void> {
  const dropped = () =>
    db.dropDatabase().catch((error: unknown) => {
      if (error instanceof MongoServerError && error.message.includes('EmptyIndex')) return false;
      throw error;
    });
  await until(dropped, 'the database is dropped');
}
