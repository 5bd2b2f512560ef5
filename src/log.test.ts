import { describe, expect, test } from '@jest/globals';
import { openLog, type LogFormat } from './log.js';
import { Secret } from './secret.js';

function lines(format: LogFormat, write: (log: ReturnType<typeof openLog>) => void): string[] {
  const written: string[] = [];
  write(openLog(format, 'info', { write: (line) => void written.push(line) }));
  return written;
}

describe('the log', () => {
  test('for machines is one JSON object a line', () => {
    const [line = ''] = lines('json', (log) => log.warn({ jobId: 'a' }, 'slow\nline'));
    expect(line.endsWith('}\n')).toBe(true);
    expect(JSON.parse(line)).toMatchObject({ level: 'warn', jobId: 'a', msg: 'slow\nline' });
  });

  test('for a person is text, with the stack of an error', () => {
    const [line = ''] = lines('readable', (log) => log.error({ err: new Error('broken'), port: 4000 }, 'It failed.'));
    expect(line).toMatch(/^\d\d:\d\d:\d\d error It failed\. {2}port=4000\nError: broken\n\s+at /);
  });

  test.each(['json', 'readable'] as const)('never holds a secret (%s)', (format) => {
    const text = lines(format, (log) => {
      log.info({
        secret: new Secret('hunter2'),
        config: { key: new Secret('hunter2'), list: [new Secret('hunter2')] },
      });
      log.info({ headers: { authorization: 'Bearer hunter2' }, input: { deep: { password: 'hunter2' } } });
    }).join('');
    expect(text).toContain('[secret]');
    expect(text).not.toContain('hunter2');
  });
});
