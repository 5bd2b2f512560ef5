/**
 * Measures schedulePreview. The limit is 5 ms. The first call for a zone includes lookups that are cached later. The very first
 * call includes loading the engine's time zone data. CPU time excludes waiting on a busy machine.
 *
 *   node --import @swc-node/register/esm-register bench/schedule.ts
 */
import { brief } from './brief.js';
import { schedulePreview } from '../src/scheduler/cron/schedulePreview.js';

const rounds = brief ? 2 : 300;
const cases: readonly (readonly [frequency: string, timeZone: string, count: number])[] = [
  ['* * 5 * * *', 'UTC', 5],
  ['0 0 5 * * *', 'Europe/Berlin', 5],
  ['* * */5 * * *', 'America/New_York', 5],
  ['0 */15 8-17 * * MON-FRI', 'Australia/Lord_Howe', 5],
  ['0 * * * * *', 'Africa/Casablanca', 100],
  ['0 0-59 2,3 * * *', 'Europe/Berlin', 100],
  ['0 0 0 L * *', 'Asia/Kathmandu', 100],
  ['0 0 0 29 2 *', 'America/New_York', 5],
  ['0 0 0 29 2 *', 'Africa/Casablanca', 100],
  ['0 0 */12 29 2 *', 'Europe/London', 100],
  ['0 0 */12 29 2 */6', 'America/Sao_Paulo', 100],
  ['0 0 0 31 * 1', 'Europe/Paris', 100],
  ['0 0 0 31 * */2', 'Pacific/Apia', 100],
];

const now = new Date('2026-03-01T00:00:00Z');
const table = cases.map(([frequency, timeZone, count]) => {
  const once = () => {
    const cpu = process.cpuUsage();
    const before = performance.now();
    schedulePreview({ frequency, timeZone, count, now, minIntervalMs: 60_000, usualDurationMs: 600_000 });
    const wallMs = performance.now() - before;
    const { user, system } = process.cpuUsage(cpu);
    return { wallMs, cpuMs: (user + system) / 1000 };
  };
  const first = once();
  const times = Array.from({ length: rounds }, once);
  const at = (share: number, clock: 'wallMs' | 'cpuMs') =>
    (times.map((time) => time[clock]).sort((a, b) => a - b)[Math.floor(share * (rounds - 1))] ?? 0).toFixed(2);
  return {
    frequency,
    timeZone,
    count,
    'first ms': first.wallMs.toFixed(2),
    'median ms': at(0.5, 'wallMs'),
    'p99 ms': at(0.99, 'wallMs'),
    'p99 CPU ms': at(0.99, 'cpuMs'),
  };
});
console.table(table);

const promisedMs = 5;
if (!brief && table.some((row) => Number(row['median ms']) >= promisedMs)) {
  console.error(`schedulePreview took ${promisedMs} ms or more.`);
  process.exitCode = 1;
}
