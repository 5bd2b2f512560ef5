import type { ScheduleStore } from '../settingChecks.js';
import type { Log } from '../log.js';
import type { AlarmClock } from '../scheduler/alarmClock.js';
import type { Secret } from '../secret.js';

/** Agenda with the store of SCHEDULE_STORE_URL. It loads only the modules of that store, to save memory. */
export async function openAlarmClock(scheduleStore: ScheduleStore, databaseUrl: Secret, log: Log): Promise<AlarmClock> {
  const onError = (error: unknown, alarm?: object): void =>
    log.error({ err: error, alarm }, 'The alarm clock reported an error.');
  if (scheduleStore.kind === 'mongodb') {
    const { openMongoAlarmClock } = await import('../scheduler/agenda/mongoAlarmClock.js');
    return openMongoAlarmClock({ url: scheduleStore.url, onError });
  }
  const { openPostgresAlarmClock } = await import('../scheduler/agenda/postgresAlarmClock.js');
  return openPostgresAlarmClock({ connectionString: databaseUrl, onError });
}
