import type { ScheduleStore } from '../config.js';
import type { Log } from '../log.js';
import type { AlarmClock } from '../scheduler/alarmClock.js';
import { openMongoAlarmClock } from '../scheduler/agenda/mongoAlarmClock.js';
import { openPostgresAlarmClock } from '../scheduler/agenda/postgresAlarmClock.js';
import type { Secret } from '../secret.js';

/** Agenda, in the store that SCHEDULE_STORE_URL names. */
export function openAlarmClock(scheduleStore: ScheduleStore, databaseUrl: Secret, log: Log): Promise<AlarmClock> {
  const onError = (error: unknown, alarm?: object): void =>
    log.error({ err: error, alarm }, 'The alarm clock met an error.');
  return scheduleStore.kind === 'mongodb'
    ? openMongoAlarmClock({ url: scheduleStore.url, onError })
    : openPostgresAlarmClock({ connectionString: databaseUrl, onError });
}
