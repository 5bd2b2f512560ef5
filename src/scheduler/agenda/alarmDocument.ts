import { z } from 'zod';
import { StowageError } from '../../errors.js';
import { alarmKey, type Alarm } from '../alarmClock.js';

/**
 * One job name for each kind of alarm. Agenda polls for each name, so one name for each plan would keep a processor
 * busy.
 */
export const jobNames = { PLAN_TICK: 'plan tick', JOB_DUE: 'job due' } as const satisfies Record<Alarm['kind'], string>;

/**
 * An alarm as a document of Agenda. The time is also in the data, because Agenda overwrites nextRunAt before it calls a
 * handler, and again for each retry.
 */
export type AlarmDocument = {
  readonly name: string;
  readonly nextRunAt: Date;
  readonly data: AlarmData;
};

const at = z.iso.datetime();
const alarmData = z.discriminatedUnion('kind', [
  z.object({ key: z.string(), kind: z.literal('PLAN_TICK'), planId: z.string(), version: z.number(), at }),
  z.object({ key: z.string(), kind: z.literal('JOB_DUE'), jobId: z.string(), at }),
]);
export type AlarmData = z.infer<typeof alarmData>;

export function toDocument(alarm: Alarm): AlarmDocument {
  const { at, ...what } = alarm;
  return {
    name: jobNames[alarm.kind],
    nextRunAt: at,
    data: { key: alarmKey(alarm), ...what, at: at.toISOString() },
  };
}

/** Throws INTERNAL if the data is not an alarm. */
export function toAlarm(data: unknown): Alarm {
  const parsed = alarmData.safeParse(data);
  if (!parsed.success) {
    throw new StowageError('INTERNAL', 'A document in the alarm store is not an alarm. Only Stowage may write there.', {
      cause: parsed.error,
    });
  }
  const { key: _, at, ...what } = parsed.data;
  return { ...what, at: new Date(at) };
}
