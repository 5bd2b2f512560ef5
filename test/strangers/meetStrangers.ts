import type { RunningGround } from './startGround.js';
import type { Attempts, StrangersGroup } from './stranger.js';
import type { Noticed, Watch } from './watch.js';

/** The limits for every group. */
export type Bounds = { readonly mostBytes: number; readonly longestPingMs: number };

export const bounds: Bounds = { mostBytes: 350 * 1024 * 1024, longestPingMs: 100 };

/** The outcome of a group. */
export type Met = Attempts & Noticed & { readonly name: string; readonly crashed: number };

const unknown = { peakBytes: NaN, longestPingMs: NaN, p99PingMs: NaN, quietP99PingMs: NaN };

/** Runs one group, and measures the process and another client meanwhile. */
export async function meet(group: StrangersGroup, ground: RunningGround, watch: Watch): Promise<Met> {
  await watch.begin();
  let attempts: Attempts;
  try {
    attempts = await group.run(ground);
  } catch (error) {
    attempts = { attempts: 1, refusals: {}, problems: [error instanceof Error ? (error.stack ?? '') : String(error)] };
  }
  const crashed = ground.isAlive() ? 0 : 1;
  const noticed = crashed === 0 ? await watch.end() : { ...unknown, pings: 0 };
  const { attempts: count, refusals, problems, slotsWaited, refusedWithinMs } = attempts;
  return { name: group.name, attempts: count, refusals, problems, slotsWaited, refusedWithinMs, crashed, ...noticed };
}

/** The problems of the outcome, in one sentence each. */
export function wrongAbout(met: Met, { mostBytes, longestPingMs }: Bounds): readonly string[] {
  return [
    ...met.problems,
    ...(met.crashed > 0 ? ['The process has ended.'] : []),
    ...(met.peakBytes <= mostBytes ? [] : [`The process took ${inMegabytes(met.peakBytes)} MB.`]),
    ...(met.longestPingMs <= longestPingMs ? [] : [`Another client waited ${Math.round(met.longestPingMs)} ms.`]),
    ...(met.pings > 0 ? [] : ['No ping was answered.']),
  ];
}

/** A table in Markdown, one row for each group. */
export function strangersTable(all: readonly Met[]): string {
  const lines = [
    [
      'group',
      'attempts',
      'crashed',
      'peak memory (MB)',
      'longest ping (ms)',
      'p99 of pings (ms)',
      'p99 before (ms)',
      'p99 of refusals (ms)',
      'longest wait (slots)',
      'refusals by code',
    ],
    ['---', '---:', '---:', '---:', '---:', '---:', '---:', '---:', '---:', '---'],
    ...all.map(({ name, attempts, crashed, peakBytes, slotsWaited, refusals, ...times }) => [
      name,
      ...[attempts, crashed, inMegabytes(peakBytes), Math.round(times.longestPingMs)].map(String),
      ...[times.p99PingMs, times.quietP99PingMs, times.refusedWithinMs ?? NaN].map(inMilliseconds),
      String(slotsWaited ?? ''),
      Object.entries(refusals)
        .map(([code, count]) => `${code}: ${count}`)
        .join(', '),
    ]),
  ];
  return lines.map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}

function inMilliseconds(ms: number): string {
  return Number.isNaN(ms) ? '' : ms.toFixed(1);
}

function inMegabytes(bytes: number): number {
  return Math.round(bytes / 1024 / 1024);
}
