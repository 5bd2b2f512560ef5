/**
 * Agenda alone, in a separate process: its own backend, an empty handler, and the settings of the alarm clock, unless the
 * argument sets a longer time between polls.
 * `node --import @swc-node/register/esm-register bench/schedules/bareAgenda.ts <mongodb:… or postgresql:…> [milliseconds]`,
 * with an IPC channel: it receives the times of alarms, answers when they are set, and sends the id of each that fires.
 */
import { MongoBackend } from '@agendajs/mongo-backend';
import { PostgresBackend } from '@agendajs/postgres-backend';
import { Agenda } from 'agenda';
import { defaults } from '../../src/scheduler/agenda/agendaAlarmClock.js';
import type { BareAnswer, BareOrder } from './bareAgendaProcess.js';

const [, , url = '', processEvery = String(defaults.processEveryMs)] = process.argv;
const agenda = new Agenda({
  backend: url.startsWith('mongodb')
    ? new MongoBackend({ address: url })
    : new PostgresBackend({ connectionString: url, disableNotifications: true }),
  processEvery: Number(processEvery),
  defaultConcurrency: 100,
  maxConcurrency: 200,
  removeOnComplete: true,
});
agenda.define<{ id: string }>('alarm', (job) => {
  send({ rang: job.attrs.data.id, atMs: Date.now() });
  return Promise.resolve();
});
await agenda.start();
process.on('message', (order: BareOrder) => void set(order));
send({ ready: true });

async function set({ alarms, parallel }: BareOrder): Promise<void> {
  const left = [...alarms];
  const client = async () => {
    for (let alarm = left.pop(); alarm !== undefined; alarm = left.pop()) {
      await agenda.schedule(new Date(alarm.atMs), 'alarm', { id: alarm.id });
    }
  };
  await Promise.all(Array.from({ length: parallel }, client));
  send({ set: alarms.length });
}

function send(answer: BareAnswer): void {
  process.send?.(answer);
}
