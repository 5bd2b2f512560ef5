import type { DataSource } from 'typeorm';
import type { JobProgress, Telemetry } from './contracts/telemetry.js';
import type { Notifications } from './notifications.js';

/** Stores the latest progress of each job in an unlogged table, and sends every progress as a notification. */
export function createTelemetry(dataSource: DataSource, notifications: Notifications): Telemetry {
  return {
    async publish(progress) {
      const text = JSON.stringify(progress);
      await dataSource.query(
        `WITH kept AS (
           INSERT INTO job_progress (job_id, progress) VALUES ($1, $2)
           ON CONFLICT (job_id) DO UPDATE SET progress = EXCLUDED.progress
         )
         SELECT pg_notify('stowage_progress', $3)`,
        [progress.jobId, text, text],
      );
    },

    async latest(jobIds) {
      const rows = await dataSource.query<{ job_id: string; progress: JobProgress }[]>(
        'SELECT job_id, progress FROM job_progress WHERE job_id = ANY($1::text[])',
        [jobIds],
      );
      return new Map(rows.map((row) => [row.job_id, row.progress]));
    },

    async clear(jobId) {
      await dataSource.query('DELETE FROM job_progress WHERE job_id = $1', [jobId]);
    },

    subscribe(listener) {
      return notifications.subscribe('stowage_progress', (payload) => listener(JSON.parse(payload) as JobProgress));
    },
  };
}
