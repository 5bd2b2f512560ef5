import { describe, expect, test } from '@jest/globals';
import { protectionOf, type PlannedProtection } from './protection.js';

const hour = 3_600_000;
const now = new Date('2026-03-10T12:00:00Z');
const ago = (hours: number) => new Date(now.getTime() - hours * hour);
const daily: PlannedProtection = {
  paused: false,
  longestGapMs: 24 * hour,
  usualDurationMs: hour,
  consecutiveFailures: [0],
};
const facts = { now, objectiveMs: null, plans: [daily], dataAsOf: ago(3) };

describe('protection', () => {
  test('is PROTECTED until the longest gap and the usual duration have passed, and LATE from then on', () => {
    expect(protectionOf({ ...facts, dataAsOf: ago(25) })).toMatchObject({ status: 'PROTECTED', dueBy: now });
    expect(protectionOf({ ...facts, dataAsOf: new Date(ago(25).getTime() - 1) }).status).toBe('LATE');
  });

  test('uses the objective of the service if there is one', () => {
    expect(protectionOf({ ...facts, objectiveMs: 2 * hour })).toMatchObject({ status: 'LATE', dueBy: ago(1) });
    expect(protectionOf({ ...facts, objectiveMs: 100 * hour, dataAsOf: ago(99) }).status).toBe('PROTECTED');
  });

  test('uses the plan that runs most often, and ignores paused plans', () => {
    const weekly = { ...daily, longestGapMs: 168 * hour };
    expect(protectionOf({ ...facts, plans: [weekly, daily], dataAsOf: ago(30) }).status).toBe('LATE');
    expect(protectionOf({ ...facts, plans: [weekly, { ...daily, paused: true }], dataAsOf: ago(30) }).status).toBe(
      'PROTECTED',
    );
  });

  test('is FAILING while a destination fails and the objective is kept, and LATE when the objective is broken', () => {
    const failing = { ...daily, consecutiveFailures: [0, 3] };
    expect(protectionOf({ ...facts, plans: [failing] })).toMatchObject({ status: 'FAILING', consecutiveFailures: 3 });
    expect(protectionOf({ ...facts, plans: [failing], dataAsOf: ago(48) }).status).toBe('LATE');
  });

  test('is NEVER without a stored backup, PAUSED if every plan is paused, and NO_PLAN without a plan', () => {
    expect(protectionOf({ ...facts, dataAsOf: null })).toMatchObject({ status: 'NEVER', dueBy: null });
    expect(protectionOf({ ...facts, plans: [{ ...daily, paused: true, consecutiveFailures: [2] }] })).toMatchObject({
      status: 'PAUSED',
      consecutiveFailures: 0,
      dataAsOf: ago(3),
    });
    expect(protectionOf({ ...facts, plans: [] }).status).toBe('NO_PLAN');
  });

  test('is never LATE without an objective', () => {
    const once = { ...daily, longestGapMs: undefined };
    expect(protectionOf({ ...facts, plans: [once], dataAsOf: ago(10_000) })).toMatchObject({
      status: 'PROTECTED',
      dueBy: null,
    });
  });
});
