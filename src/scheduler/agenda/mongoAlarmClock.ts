import { MongoClient } from 'mongodb';
import { StowageError } from '../../errors.js';
import type { Secret } from '../../secret.js';
import type { AlarmClock } from '../alarmClock.js';
import { AgendaAlarmClock, type AgendaOptions } from './agendaAlarmClock.js';
import { openStore } from './alarmStore.js';
import { MongoAlarmStore } from './mongoAlarmStore.js';

export type MongoAlarmClockOptions = AgendaOptions & {
  /** `mongodb://…` or `mongodb+srv://…`. A URL that names no database means the database `stowage`. */
  readonly url: Secret;
};

const answerLimitMs = 5_000;

/**
 * An alarm clock in MongoDB, in the collection `alarms`. The user needs `readWrite` on its database.
 * Throws UNAVAILABLE if the server does not answer within 5 s or refuses the user, BAD_INPUT if the URL is malformed.
 */
export async function openMongoAlarmClock({ url, ...options }: MongoAlarmClockOptions): Promise<AlarmClock> {
  const client = connect(url);
  const databaseName = /^mongodb(?:\+srv)?:\/\/[^/]+\/[^?]/.test(url.reveal()) ? client.options.dbName : 'stowage';
  const hosts = client.options.srvHost ?? client.options.hosts.map(String).join(',');
  const store = new MongoAlarmStore(client, databaseName, `MongoDB at ${hosts}, database ${databaseName}`);
  return new AgendaAlarmClock(await openStore(store), options);
}

function connect(url: Secret): MongoClient {
  try {
    return new MongoClient(url.reveal(), {
      appName: 'stowage',
      serverSelectionTimeoutMS: answerLimitMs,
      connectTimeoutMS: answerLimitMs,
      socketTimeoutMS: 2 * answerLimitMs,
    });
  } catch {
    // The message of the driver may contain the URL with its password.
    throw new StowageError(
      'BAD_INPUT',
      'The URL of the alarm store is not one of MongoDB. Write mongodb://user:password@host:27017/database.',
    );
  }
}
