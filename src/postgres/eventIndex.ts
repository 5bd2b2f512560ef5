import type { DataSource } from 'typeorm';
import type { AnyDecider } from '../eventSourcing/decider.js';
import type { EventIndex } from '../eventSourcing/eventIndex.js';
import { recordedEvent, type EventRow } from './eventRows.js';
import { unavailableOnOutage } from './sqlErrors.js';

export function createEventIndex(dataSource: DataSource, deciders: readonly AnyDecider[]): EventIndex {
  const decidersByType = new Map(deciders.map((decider) => [decider.streamType, decider]));
  return {
    async find(eventId) {
      const [row] = await unavailableOnOutage(
        dataSource.query<EventRow[]>('SELECT * FROM events WHERE event_id = $1', [eventId]),
      );
      return row === undefined ? undefined : recordedEvent(row, decidersByType);
    },

    async count({ projectIds, streamId, within }) {
      const [{ count }] = await unavailableOnOutage(
        dataSource.query<[{ count: string }]>(
          `SELECT count(*) AS count FROM events
           WHERE ($1::text[] IS NULL OR project_id = ANY($1::text[])) AND ($2::text IS NULL OR stream_id = $2)
             ${within === undefined ? '' : `AND (${within.sql('$3')})`}`,
          [projectIds ?? null, streamId ?? null, ...(within === undefined ? [] : [within.parameter])],
        ),
      );
      return Number(count);
    },

    async changedStreams({ streamType, after, until, projectIds }) {
      const rows = await unavailableOnOutage(
        dataSource.query<{ stream_id: string }[]>(
          `SELECT stream_id FROM events
           WHERE position > $1 AND position <= $2 AND stream_type = $3
             AND ($4::text[] IS NULL OR project_id = ANY($4::text[]))
           GROUP BY stream_id ORDER BY max(position)`,
          [after.toString(), until.toString(), streamType, projectIds ?? null],
        ),
      );
      return rows.map((row) => row.stream_id);
    },
  };
}
