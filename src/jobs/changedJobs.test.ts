import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { RecordedEvent } from '../eventSourcing/event.js';
import type { JobProgress } from '../postgres/contracts/telemetry.js';
import { listenToJobs } from './changedJobs.js';

/** A log and a telemetry only of this process. */
function sources() {
  let hearEvent: (event: RecordedEvent) => void = () => undefined;
  let hearProgress: (progress: JobProgress) => void = () => undefined;
  let position = 10n;
  const jobs = listenToJobs(
    {
      feed: {
        subscribe(listener) {
          hearEvent = listener;
          return { from: position, close: () => undefined };
        },
      },
      telemetry: {
        subscribe(listener) {
          hearProgress = listener;
          return () => undefined;
        },
      },
    },
    { streamType: 'BackupJob', kind: 'BACKUP', event: () => true, progress: () => true },
  );
  return {
    jobs,
    change: (streamId: string, streamType = 'BackupJob'): bigint => {
      position += 1n;
      hearEvent({ position, streamId, streamType } as RecordedEvent);
      return position;
    },
    moveOn: (jobId: string) => hearProgress({ jobId, kind: 'BACKUP' } as JobProgress),
  };
}

describe('a reader of changes:', () => {
  test('a job that changes a thousand times before it is read has one entry, with the position before its first change', async () => {
    const { jobs, change } = sources();
    jobs.seed([], undefined);
    for (let each = 0; each < 1_000; each += 1) change(each % 2 === 0 ? 'a' : 'b');
    expect(await jobs.next()).toBe('READY');
    expect(jobs.position()).toBe(10n);
    expect(await jobs.next()).toEqual({ id: 'a', since: 10n, isSeed: false });
    expect(jobs.position()).toBe(11n);
    expect(await jobs.next()).toEqual({ id: 'b', since: 11n, isSeed: false });
    expect(jobs.position()).toBe(1_010n);
  });

  test('a change before the seed comes after READY, or together with the seed if its job is in the seed', async () => {
    const { jobs, change } = sources();
    change('live');
    change('seeded');
    jobs.seed(['seeded'], undefined);
    expect(await jobs.next()).toEqual({ id: 'seeded', since: 11n, isSeed: true });
    expect(await jobs.next()).toBe('READY');
    expect(await jobs.next()).toEqual({ id: 'live', since: 10n, isSeed: false });
  });

  test('progress alone has no position, and is merged with a change of the same job', async () => {
    const { jobs, change, moveOn } = sources();
    jobs.seed([], undefined);
    expect(await jobs.next()).toBe('READY');
    moveOn('a');
    expect(await jobs.next()).toEqual({ id: 'a', since: undefined, isSeed: false });
    moveOn('a');
    change('a');
    expect(await jobs.next()).toEqual({ id: 'a', since: 10n, isSeed: false });
  });

  test('a waiting reader resumes after a change, and after a close', async () => {
    const { jobs, change } = sources();
    jobs.seed([], undefined);
    await jobs.next();
    const woken = jobs.next();
    change('a');
    expect(await woken).toMatchObject({ id: 'a' });
    const left = jobs.next();
    jobs.close();
    expect(await left).toBeUndefined();
  });

  test('in any order of changes, the position never decreases, and no change up to it is still waiting', async () => {
    const step = fc.oneof(
      fc.record({ what: fc.constant('CHANGE' as const), id: fc.constantFrom('a', 'b', 'c', 'd') }),
      fc.record({ what: fc.constant('MOVE_ON' as const), id: fc.constantFrom('a', 'b', 'c', 'd') }),
      fc.constant({ what: 'OTHER' as const, id: 'x' }),
      fc.constant({ what: 'TAKE' as const, id: '' }),
      fc.constant({ what: 'SEED' as const, id: 'b' }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60 }), fc.constantFrom(undefined, 4n), async (steps, after) => {
        const { jobs, change, moveOn } = sources();
        /** The first change of each job that the reader has not taken. */
        const open = new Map<string, bigint>();
        let isSeeded = false;
        let size = 0;
        let last = 0n;
        for (const { what, id } of steps) {
          if (what === 'CHANGE') {
            const at = change(id);
            if (!open.has(id)) open.set(id, at);
            size += 1;
          }
          if (what === 'MOVE_ON') {
            moveOn(id);
            size += 1;
          }
          if (what === 'OTHER') change('x', 'BackupPlan');
          if (what === 'SEED' && !isSeeded) {
            jobs.seed([id], after);
            isSeeded = true;
            size += 2;
          }
          if (what === 'TAKE' && isSeeded && size > 0) {
            const taken = await Promise.race([jobs.next(), Promise.resolve('NOTHING' as const).then(pause)]);
            if (taken === 'NOTHING') return;
            if (taken !== undefined && taken !== 'READY') open.delete(taken.id);
          }
          if (!isSeeded) continue;
          const position = jobs.position();
          expect(position).toBeGreaterThanOrEqual(last);
          for (const at of open.values()) expect(at).toBeGreaterThan(position);
          last = position;
        }
      }),
    );
  });
});

/** Resolves after everything that is ready now. */
async function pause<Value>(value: Value): Promise<Value> {
  for (let turn = 0; turn < 20; turn += 1) await Promise.resolve();
  return value;
}
