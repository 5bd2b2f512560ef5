import { describe, expect, test } from '@jest/globals';
import { createEngines } from '../engines/engines.js';
import { waitingMessage } from './waitingMessage.js';

const engines = createEngines();
const first = { usual: 'Waiting for a worker.', attempts: [] };

describe('the message of a job that is due and waits', () => {
  test('states that no worker is running', () => {
    expect(waitingMessage({ kind: 'NO_WORKER' }, engines, first)).toBe(
      'No worker is running that accepts jobs. Start one (stowage worker). The job then starts automatically.',
    );
  });

  test('names the tools that no running worker has', () => {
    expect(waitingMessage({ kind: 'NO_TOOLS', engine: 'MARIADB' }, engines, first)).toMatch(
      /^No running worker has the tools for MARIADB \(mariadb-dump, mariadb, zstd\)\. Start a worker with these tools/,
    );
    expect(waitingMessage({ kind: 'NO_TOOLS', engine: 'DB9' }, engines, first)).toMatch(/tools for DB9\. Start/);
  });

  test('names the version of the tool that no running worker has', () => {
    expect(waitingMessage({ kind: 'NO_TOOLS', engine: 'POSTGRESQL pg_dump 18' }, engines, first)).toMatch(
      /^No running worker has pg_dump 18 or newer, .* STOWAGE_TOOLS\. The job then starts automatically\.$/,
    );
  });

  test('names the time of the next try after a job was postponed', () => {
    expect(waitingMessage({ kind: 'PUT_OFF', until: new Date(0) }, engines, first)).toContain(
      'at 1970-01-01T00:00:00.000Z',
    );
  });

  test('names the cancelled restore that locks the service, and the latest end of the lock', () => {
    expect(waitingMessage({ kind: 'SERVICE_KEPT', until: new Date(0) }, engines, first)).toMatch(
      /^The service does not answer, so the sessions of a cancelled restore there could not be ended yet.* at 1970-01-01T00:00:00.000Z at the latest/,
    );
  });

  test('names the slots of the own project, and nothing else about others', () => {
    const reason = { kind: 'NO_FREE_SLOT', slots: 4, own: 3 } as const;
    expect(waitingMessage({ ...reason, othersWait: true }, engines, first)).toBe(
      'Waiting for a worker. All slots are in use: your project holds 3 of 4, and another project waits.',
    );
    expect(waitingMessage({ ...reason, othersWait: false }, engines, first)).toMatch(/holds 3 of 4\.$/);
  });

  test('keeps the sentence about earlier attempts', () => {
    const message = waitingMessage({ kind: 'NO_WORKER' }, engines, { usual: 'Try 1 of 3 failed.', attempts: [{}] });
    expect(message).toMatch(/^Try 1 of 3 failed\. No worker is running/);
  });
});
