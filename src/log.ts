import pino, { type DestinationStream, type Logger } from 'pino';
import type { LogLevel } from './settingChecks.js';
import { loggedError } from './loggedError.js';

export type Log = Logger;

/** The format of log lines: one JSON object per line for machines, or text for the person who runs `stowage up`. */
export type LogFormat = 'json' | 'readable';

/** Paths at which a client or a library may have put a secret that is not a `Secret`. */
const redacted = ['authorization', 'password', 'token', 'secret'].flatMap((name) => [name, `*.${name}`, `*.*.${name}`]);

/**
 * Writes to standard output. A `Secret`, and every property named password, token, …, is printed as `[secret]`. An error
 * (`err`) is printed without statements and values.
 */
export function openLog(format: LogFormat, level: LogLevel, output: DestinationStream = process.stdout): Log {
  const options = {
    level,
    base: format === 'json' ? { pid: process.pid } : null,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
    serializers: { err: (error: unknown) => loggedError(error) },
    redact: { paths: redacted, censor: '[secret]' },
  };
  return pino(options, format === 'json' ? output : { write: (line) => output.write(readable(line)) });
}

/** Formats `12:00:03 warn  The worker "a" is slow  jobId=… `, with the stack of an error below. */
function readable(line: string): string {
  const { level, time, msg, err, ...rest } = JSON.parse(line) as Record<string, unknown>;
  const fields = Object.entries(rest).map(([name, value]) => `${name}=${inline(value)}`);
  const head = `${String(time).slice(11, 19)} ${String(level).padEnd(5)} ${typeof msg === 'string' ? msg : ''}`;
  const stack = typeof err === 'object' && err !== null && 'stack' in err ? `\n${String(err.stack)}` : '';
  return `${[head.trimEnd(), ...fields].join('  ')}${stack}\n`;
}

function inline(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}
