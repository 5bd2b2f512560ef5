import { describe, expect, test } from '@jest/globals';
import { QueryFailedError } from 'typeorm';
import { StowageError } from './errors.js';
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

  test.each(['json', 'readable'] as const)(
    'never holds a statement, a parameter or a value of an error (%s)',
    (format) => {
      const driver = Object.assign(new Error('invalid input syntax for type uuid: "MARKER"'), {
        ...{
          severity: 'ERROR',
          code: '22P02',
          detail: 'Key (name)=(MARKER)',
          where: 'MARKER',
          constraint: 'names_key',
        },
      });
      const failed = new QueryFailedError('SELECT $1', ['MARKER'], driver);
      const mysql = Object.assign(new Error("Duplicate entry 'MARKER' for key 'k'"), {
        ...{ errno: 1062, sql: "INSERT INTO t VALUES ('MARKER')", sqlMessage: "Duplicate entry 'MARKER' for key 'k'" },
      });
      let syntax: unknown;
      try {
        JSON.parse('MARKER');
      } catch (error) {
        syntax = error;
      }
      const errors = [
        failed,
        mysql,
        syntax,
        new AggregateError([failed]),
        new Error('A job failed.', { cause: failed }),
      ];
      const text = lines(format, (log) => {
        for (const err of [...errors, new StowageError('INTERNAL', 'It failed.', { cause: mysql })])
          log.error({ err }, 'no');
      }).join('');
      expect(text).not.toContain('MARKER');
      if (format === 'json') expect(text).toMatch(/22P02[^]*names_key[^]*1062/);
    },
  );
});
