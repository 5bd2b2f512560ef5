import { MongoJobRepository } from '@agendajs/mongo-backend';
import { Agenda } from 'agenda';
import { expect, test } from '@jest/globals';
import { MongoClient } from 'mongodb';
import { alarmClockContract, type AlarmClockSubject } from '../../../test/contracts/alarmClock.contract.js';
import { freePorts } from '../../../test/fixtures/freePorts.js';
import { mongoMissing, startMongo } from '../../../test/fixtures/mongo.js';
import { describeWith } from '../../../test/fixtures/requirements.js';
import { Secret } from '../../secret.js';
import { openMongoAlarmClock } from './mongoAlarmClock.js';
import { collectionName } from './mongoAlarmStore.js';

const onError = () => undefined;

describeWith({ mongodb: await mongoMissing() }, 'alarm clock in MongoDB', () => {
  alarmClockContract(start);

  test('answers UNAVAILABLE for a server that is not there, without the password', async () => {
    const url = new Secret(`mongodb://me:geheim@127.0.0.1:${await freePorts(1)}/x`);
    const failure = await openMongoAlarmClock({ url, onError }).catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: 'UNAVAILABLE', message: expect.stringContaining('MongoDB at 127.0.0.1:') });
    expect(String(failure)).not.toContain('geheim');
  });

  test('answers BAD_INPUT for a URL that is none, without repeating it', async () => {
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
        async drop() {
          await db.dropDatabase();
        },
        interrupt: () => server.interrupt(),
        async close() {
          await db.dropDatabase();
          await client.close();
        },
      };
    },
  };
}
