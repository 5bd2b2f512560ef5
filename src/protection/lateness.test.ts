import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { given } from '../../test/fixtures/given.js';
import { fold } from '../eventSourcing/decider.js';
import { lateness, type LatenessCommand, type LatenessEvent } from './lateness.js';

const service = { id: 'service', name: 'orders' };
const found = (status: LatenessCommand['status'], dataAsOf = '2026-03-01T05:00:00.000Z'): LatenessCommand => ({
  kind: 'RECORD',
  ...{ service, status, dataAsOf, dueBy: '2026-03-02T05:10:00.000Z', at: '2026-03-02T06:00:00.000Z' },
});
const nothingYet = given<Parameters<typeof lateness.evolve>[0], LatenessCommand, LatenessEvent>(lateness);
const late = nothingYet.then(found('LATE'));

describe('the lateness of a service', () => {
  test('begins with one event, which has the missed deadline', () => {
    expect(nothingYet.when(found('LATE'))).toEqual([
      {
        type: 'ServiceBecameLate',
        data: {
          ...{ serviceId: 'service', serviceName: 'orders', dataAsOf: '2026-03-01T05:00:00.000Z' },
          ...{ dueBy: '2026-03-02T05:10:00.000Z', at: '2026-03-02T06:00:00.000Z' },
        },
      },
    ]);
    expect(late.when(found('LATE'))).toEqual([]);
    expect(late.when(found('LATE', '2026-03-01T09:00:00.000Z'))).toEqual([]);
  });

  test.each(['PROTECTED', 'FAILING', 'NEVER', 'NO_PLAN', 'PAUSED', 'REMOVED'] as const)(
    'does not begin for a service that is %s',
    (status) => expect(nothingYet.when(found(status))).toEqual([]),
  );

  test.each(['PROTECTED', 'FAILING'] as const)('ends with a newer backup, also while the service is %s', (status) => {
    const newer = found(status, '2026-03-02T05:30:00.000Z');
    expect(late.types(newer)).toEqual(['ServiceRecovered']);
    expect(late.then(newer).types(newer)).toEqual([]);
    expect(late.then(newer).types(found('LATE'))).toEqual(['ServiceBecameLate']);
  });

  test.each([
    ['PROTECTED', 'OBJECTIVE_CHANGED'],
    ['PAUSED', 'PLAN_PAUSED'],
    ['NO_PLAN', 'NO_PLAN'],
    ['NEVER', 'NO_BACKUP'],
    ['REMOVED', 'SERVICE_REMOVED'],
  ] as const)('ends without a newer backup by %s, and the event has this reason', (status, reason) => {
    expect(late.when(found(status))).toMatchObject([{ type: 'ServiceLatenessEnded', data: { reason } }]);
  });

  test('begins and ends alternately, for any sequence of checks', () => {
    const statuses = fc.constantFrom('PROTECTED', 'LATE', 'FAILING', 'NEVER', 'NO_PLAN', 'PAUSED', 'REMOVED');
    fc.assert(
      fc.property(fc.array(statuses), (history) => {
        const events: LatenessEvent[] = [];
        for (const status of history) events.push(...lateness.decide(found(status), fold(lateness, events)));
        expect(events.map(({ type }) => type === 'ServiceBecameLate')).toEqual(
          events.map((_, index) => index % 2 === 0),
        );
      }),
    );
  });
});
