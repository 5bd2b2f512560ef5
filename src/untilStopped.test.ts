import { EventEmitter } from 'node:events';
import { describe, expect, test } from '@jest/globals';
import { openLog } from './log.js';
import { untilStopped, type Running } from './untilStopped.js';

const minute = 60_000;

/** An emitter that replaces the process, and a log that keeps its lines. */
function given(start: () => Promise<Running>, graceMs = minute) {
  const events = new EventEmitter();
  const written: string[] = [];
  const log = openLog('readable', 'info', { write: (line) => void written.push(line) });
  return { events, written, code: untilStopped(start, events, log, graceMs) };
}

const idle: Running = { stop: () => Promise.resolve() };
const forever: Running = { stop: () => new Promise(() => undefined) };

describe('a role', () => {
  test.each(['SIGTERM', 'SIGINT'])('that %s asks to stop is stopped and ends with 0', async (signal) => {
    let stops = 0;
    const { events, code } = given(() => Promise.resolve({ stop: () => Promise.resolve(void (stops += 1)) }));
    events.emit(signal, signal);
    expect(await code).toBe(0);
    expect(stops).toBe(1);
    expect(events.eventNames()).toEqual([]);
  });

  test.each([
    ['SIGTERM', 143],
    ['SIGINT', 130],
  ])('ends at once after a second signal (%s)', async (signal, expected) => {
    const { events, code } = given(() => Promise.resolve(forever));
    events.emit('SIGTERM', 'SIGTERM');
    events.emit(signal, signal);
    expect(await code).toBe(expected);
  });

  test('that does not stop within the grace time ends with 1', async () => {
    const { events, code, written } = given(() => Promise.resolve(forever), 20);
    events.emit('SIGTERM', 'SIGTERM');
    expect(await code).toBe(1);
    expect(written.join('')).toContain('STOWAGE_STOP_GRACE');
  });

  test('that is asked to stop while it starts is stopped after the start', async () => {
    let started: (role: Running) => void = () => undefined;
    const { events, code } = given(() => new Promise((resolve) => (started = resolve)));
    events.emit('SIGTERM', 'SIGTERM');
    started(idle);
    expect(await code).toBe(0);
  });

  test('that cannot start ends with 1 and the reason in the log', async () => {
    const { code, written } = given(() => Promise.reject(new Error('port 4000 is taken')));
    expect(await code).toBe(1);
    expect(written.join('')).toContain('port 4000 is taken');
  });

  test.each(['unhandledRejection', 'uncaughtException'])('is stopped and ends with 1 after an %s', async (name) => {
    const { events, code, written } = given(() => Promise.resolve(idle));
    events.emit(name, new Error('nobody cared'));
    expect(await code).toBe(1);
    expect(written.join('')).toContain('nobody cared');
  });

  test('that cannot continue is stopped and ends with 1', async () => {
    let stops = 0;
    const broken = Promise.resolve(new Error('PostgreSQL ended'));
    const stop = () => Promise.resolve(void (stops += 1));
    const { code, written } = given(() => Promise.resolve({ stop, broken }));
    expect([await code, stops]).toEqual([1, 1]);
    expect(written.join('')).toContain('PostgreSQL ended');
  });

  test('that fails to stop ends with 1', async () => {
    const { events, code } = given(() => Promise.resolve({ stop: () => Promise.reject(new Error('stuck')) }));
    events.emit('SIGTERM', 'SIGTERM');
    expect(await code).toBe(1);
  });
});
