import { describe, expect, test } from '@jest/globals';
import { openLog } from '../log.js';
import { Closing } from './closing.js';

const quiet = openLog('json', 'info', { write: () => undefined });

describe('the opened resources of a composition', () => {
  test('are closed in reverse order, only once', async () => {
    const closed: string[] = [];
    const closing = new Closing(quiet);
    for (const name of ['database', 'feed', 'server']) {
      closing.add(name, () => Promise.resolve(closed.push(name)));
    }
    await Promise.all([closing.close(), closing.close()]);
    expect(closed).toEqual(['server', 'feed', 'database']);
  });

  test('are all closed if one fails to close, and the failure is reported', async () => {
    const closed: string[] = [];
    const closing = new Closing(quiet);
    closing.add('database', () => Promise.resolve(closed.push('database')));
    closing.add('server', () => Promise.reject(new Error('stuck')));
    await expect(closing.close()).rejects.toThrow('stuck');
    expect(closed).toEqual(['database']);
  });

  test('are closed if the rest of the start fails, and the reason of the start is thrown', async () => {
    const closed: string[] = [];
    const closing = new Closing(quiet);
    const start = closing.guard(async () => {
      closing.add('database', () => Promise.resolve(closed.push('database')));
      await Promise.resolve();
      throw new Error('the port is taken');
    });
    await expect(start).rejects.toThrow('the port is taken');
    expect(closed).toEqual(['database']);
  });
});
