import { describe, expect, test } from '@jest/globals';
import { given } from '../../test/fixtures/given.js';
import { backupPlan, type BackupPlanCommand, type PlanContent } from './backupPlan.js';

const at = '2026-03-01T05:00:00.000Z';
const later = '2026-03-02T05:00:00.000Z';
const content: PlanContent = {
  name: 'nightly',
  description: null,
  fileEndpointIds: ['e1', 'e2'],
  typed: '* * 5 * * *',
  normalized: '0 0 5 * * *',
  timeZone: 'UTC',
  retention: { style: 'FILES', period: 7 },
  maxAttempts: 3,
  catchUpWindowMs: null,
  timeoutMs: null,
  stallTimeoutMs: 600_000,
  yieldToLocks: true,
  driftThreshold: null,
  includeUsers: 'NONE',
  compression: 'BALANCED',
};
const plan = given(backupPlan).then({ kind: 'CREATE', serviceId: 's', content, paused: false, at });
const update = (changes: Partial<PlanContent>, paused = false): BackupPlanCommand => ({
  kind: 'UPDATE',
  content: { ...content, ...changes },
  paused,
  at: later,
});
const missed = (to: string): BackupPlanCommand => ({
  kind: 'RECORD_MISSED',
  missed: { fileEndpointId: 'e1', count: 2, from: at, to, reason: 'The scheduler was down.', at: later },
});

describe('a backup plan', () => {
  test('makes its armed ticks stale if frequency, zone or pause change, and for no other change', () => {
    const version = (command: BackupPlanCommand) => plan.then(command).state;
    expect(version(update({ name: 'renamed', maxAttempts: 5 }))).toMatchObject({ scheduleVersion: 1 });
    expect(version(update({ normalized: '0 0 6 * * *' }))).toMatchObject({ scheduleVersion: 2, scheduledSince: later });
    expect(version(update({ timeZone: 'Europe/Berlin' }))).toMatchObject({ scheduleVersion: 2 });
    expect(version({ kind: 'PAUSE', at: later })).toMatchObject({ scheduleVersion: 2, status: 'PAUSED' });
    expect(version({ kind: 'REMOVE', at: later })).toMatchObject({ scheduleVersion: 2, status: 'REMOVED' });
  });

  test('keeps its ticks if destinations change; an added destination has only ticks after the change', () => {
    const changed = plan.then(update({ fileEndpointIds: ['e2', 'e3'] }));
    expect(changed.state).toMatchObject({ scheduleVersion: 1, scheduledSince: at, accountedUntil: { e3: later } });
    const back = changed.then({ ...update({}), at: '2026-03-03T05:00:00.000Z' } as BackupPlanCommand);
    expect(back.state).toMatchObject({ accountedUntil: { e1: '2026-03-03T05:00:00.000Z' } });
  });

  test('counts its ticks from the time of the resume', () => {
    const resumed = plan.then({ kind: 'PAUSE', at }).then({ kind: 'RESUME', at: later });
    expect(resumed.state).toMatchObject({ status: 'ACTIVE', scheduledSince: later });
  });

  test('records only changed fields, and no event without a change', () => {
    expect(plan.when(update({}))).toEqual([]);
    expect(plan.when(update({ name: 'renamed' }))).toMatchObject([{ data: { changes: { name: 'renamed' } } }]);
    expect(plan.types(update({ name: 'renamed' }, true))).toEqual(['BackupPlanUpdated', 'BackupPlanPaused']);
    expect(plan.when({ kind: 'RESUME', at })).toEqual([]);
  });

  test('accounts for missed ticks of a destination only once', () => {
    const recorded = plan.then(missed(at));
    expect(recorded.when(missed(at))).toEqual([]);
    expect(recorded.types(missed(later))).toEqual(['TicksMissed']);
  });

  test('can be removed again after its removal, but not changed', () => {
    const removed = plan.then({ kind: 'REMOVE', at });
    expect(removed.when({ kind: 'REMOVE', at })).toEqual([]);
    expect(() => removed.when(update({ name: 'x' }))).toThrow(expect.objectContaining({ code: 'CONFLICT' }));
  });
});
