import { describe, expect, test } from '@jest/globals';
import { goldenEvents } from '../../test/events/goldenEvents.js';
import { eventSummaries, eventSummary } from './eventSummary.js';
import { publicData } from './publicData.js';

describe('the summary of an event', () => {
  test('exists for every type of event that a slice decides', async () => {
    const types = [...(await goldenEvents()).keys()].map((name) => name.split('@')[0] ?? '');
    expect(types.length).toBeGreaterThan(40);
    expect(Object.keys(eventSummaries).toSorted()).toEqual([...new Set(types)].toSorted());
  });

  test.each([
    ['ProjectCreated', { name: 'Harbour' }, 'Project "Harbour" was created.'],
    ['ServiceUpdated', { changes: { host: 'a', authSource: 'b' } }, 'The service was changed: host, auth source.'],
    [
      'TicksMissed',
      { count: 2, from: 'A', to: 'B', reason: 'Nobody was there.' },
      '2 runs from A to B were missed. Nobody was there.',
    ],
    [
      'BackupAttemptEnded',
      { attempt: 1, outcome: 'FAILED', error: { code: 'STALLED', message: 'Nothing moved.' }, retryAt: 'T' },
      'Attempt 1 failed (STALLED): Nothing moved. The next is due at T.',
    ],
    ['BackupDeletionDecided', { reason: 'RETENTION', by: 'retention' }, 'Retention decided to delete the backup.'],
    [
      'RestoreCancelled',
      { by: 'anna', targetTouched: false },
      'The restore was cancelled by anna; the target was not touched.',
    ],
    ['SomethingNewer', {}, 'SomethingNewer.'],
  ])('is right for %s', (type, data, sentence) => {
    expect(eventSummary({ type, data })).toBe(sentence);
  });

  test('comes with data that has no internal fields in the API', () => {
    const data = { settings: { name: 'db', credential: { credentialId: 'c' } }, parts: [{ name: 'a', etag: 'e' }] };
    expect(publicData(data)).toEqual({ settings: { name: 'db' }, parts: [{ name: 'a' }] });
  });
});
