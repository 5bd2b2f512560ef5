import type { DataSource } from 'typeorm';
import type { Signals } from './contracts/telemetry.js';
import type { Notifications } from './notifications.js';

export function createSignals(dataSource: DataSource, notifications: Notifications): Signals {
  return {
    async send(channel, payload = '') {
      await dataSource.query('SELECT pg_notify($1, $2)', [`stowage_${channel}`, payload]);
    },
    subscribe(channel, listener) {
      return notifications.subscribe(`stowage_${channel}`, listener);
    },
  };
}
