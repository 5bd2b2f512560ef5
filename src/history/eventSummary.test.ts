import { readFile } from 'node:fs/promises';
import { describe, expect, test } from '@jest/globals';
import { eventSummaries, eventSummary } from './eventSummary.js';
import { publicData } from './publicData.js';

const deciders = [
  'projects/project',
  'services/service',
  'endpoints/fileEndpoint',
  'plans/backupPlan',
  'jobs/backupJob',
  'protection/lateness',
  'jobs/storedBackup',
  'restores/restoreJob',
];

describe('the summary of an event', () => {
  test('every type of event that a slice decides has one', async () => {
    const sources = await Promise.all(
      deciders.map((name) => readFile(new URL(`../${name}.ts`, import.meta.url), 'utf8')),
    );
    const types = sources.flatMap((source) =>
      [...source.matchAll(/readonly type: '(?<type>[A-Za-z]+)'/g)].flatMap(({ groups }) => groups?.['type'] ?? []),
    );
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
  ])('%s', (type, data, sentence) => {
    expect(eventSummary({ type, data })).toBe(sentence);
  });

  test('the data in the API has no internal fields', () => {
    const data = { settings: { name: 'db', credential: { credentialId: 'c' } }, parts: [{ name: 'a', etag: 'e' }] };
    expect(publicData(data)).toEqual({ settings: { name: 'db' }, parts: [{ name: 'a' }] });
  });
});
