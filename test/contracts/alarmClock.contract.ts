import { spawn, type ChildProcess } from 'node:child_process';
import { connect, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals';
import type { AgendaOptions } from '../../src/scheduler/agenda/agendaAlarmClock.js';
import { alarmKey, type Alarm, type AlarmClock, type AlarmHandlers } from '../../src/scheduler/alarmClock.js';

export type AlarmClockSubject = {
  readonly kind: 'mongo' | 'postgres';
  /** An empty store that no other test uses. */
  newStore(): Promise<TestedStore>;
  stop(): Promise<void>;
};

export type TestedStore = {
  readonly url: string;
  open(options: AgendaOptions, url?: string): Promise<AlarmClock>;
  /** Every document in Agenda's own form, without the parts that always differ (id, times of writing). */
  documents(): Promise<Record<string, unknown>[]>;
  /** Saves a new document through Agenda itself. */
  saveByAgenda(name: string, nextRunAt: Date, data: unknown): Promise<void>;
  /** Removes everything in the store: documents, tables or collections, indexes. */
  drop(): Promise<void>;
  /** Stops the answers of the store until the returned function is called. */
  interrupt(): Promise<() => Promise<void>>;
  close(): Promise<void>;
};

type Told = { readonly error: unknown; readonly alarm: Alarm | undefined };

/** The contract of every alarm clock with its real store. */
export function alarmClockContract(start: () => Promise<AlarmClockSubject>): void {
  let subject: AlarmClockSubject;
  let store: TestedStore;
  let clocks: AlarmClock[] = [];
  let children: ChildProcess[] = [];
  let reported: Told[] = [];
  const unhandled: unknown[] = [];
  const noteUnhandled = (reason: unknown) => unhandled.push(reason);

  // Locks that last longer than any pause of a busy machine. If one expires during a run, the alarm correctly fires twice.
  const quick = { processEveryMs: 200, lockLifetimeMs: 60_000, firstRetryMs: 50 };
  const open = async (options: Partial<AgendaOptions> = {}, url?: string): Promise<AlarmClock> => {
    const onError = (error: unknown, alarm?: Alarm) => reported.push({ error, alarm });
    const clock = await store.open({ ...quick, onError, ...options }, url);
    clocks.push(clock);
    return clock;
  };
  const opened = async (handlers: AlarmHandlers, options?: Partial<AgendaOptions>) => {
    const clock = await open(options);
    await clock.start(handlers);
    return clock;
  };
  const alarmProcess = (what: 'hang' | 'once') => {
    const program = join(import.meta.dirname, '../fixtures/processes/alarmClockProcess.ts');
    const child = spawn(
      process.execPath,
      ['--import', '@swc-node/register/esm-register', program, subject.kind, what],
      {
        env: { PATH: process.env['PATH'], NODE_NO_WARNINGS: '1', ALARM_STORE_URL: store.url },
        stdio: ['ignore', 'pipe', 'inherit'],
      },
    );
    children.push(child);
    const lines: string[] = [];
    createInterface(child.stdout).on('line', (line) => lines.push(line));
    const ended = new Promise<number | null>((resolve) => child.once('exit', resolve));
    return { child, ended, printed: (line: string) => until(() => lines.includes(line), `the process prints ${line}`) };
  };

  beforeAll(async () => {
    process.on('unhandledRejection', noteUnhandled);
    subject = await start();
  }, 300_000);
  afterAll(async () => {
    process.off('unhandledRejection', noteUnhandled);
    await subject.stop();
  });
  beforeEach(async () => {
    store = await subject.newStore();
  });
  afterEach(async () => {
    for (const child of children) child.kill('SIGKILL');
    await Promise.all(clocks.map((clock) => clock.stop()));
    await store.close();
    [clocks, children, reported] = [[], [], []];
    expect(unhandled).toEqual([]);
  });

  test('calls the handler of each kind once, on time, and leaves no document', async () => {
    const calls = recorder();
    const clock = await open();
    const at = inMs(600);
    await clock.setAll([tick('p1', at, 7), due('j1', at)]);
    expect(await clock.list()).toHaveLength(2);
    await clock.start(calls.handlers);
    await calls.reach(2);
    expect(Date.now() - at.getTime()).toBeGreaterThanOrEqual(0);
    expect(Date.now() - at.getTime()).toBeLessThan(20_000);
    expect(calls.ticks).toEqual([{ planId: 'p1', version: 7, scheduledFor: at }]);
    expect(calls.dues).toEqual([{ jobId: 'j1' }]);
    await until(async () => (await store.documents()).length === 0, 'no document is left');
    expect(reported).toEqual([]);
  });

  test('fires an alarm with a past time at once, and passes its scheduled time', async () => {
    const calls = recorder();
    const clock = await opened(calls.handlers);
    const longAgo = inMs(-86_400_000);
    await clock.set(tick('late', longAgo));
    await calls.reach(1);
    expect(calls.ticks[0]?.scheduledFor).toEqual(longAgo);
  });

  test('keeps alarms until a clock is started, even if this is late', async () => {
    const before = await open();
    const at = inMs(300);
    await before.set(tick('kept', at));
    await before.stop();
    await until(() => Date.now() > at.getTime() + 200, 'its time has passed');
    const calls = recorder();
    await opened(calls.handlers);
    await calls.reach(1);
    expect(calls.ticks).toEqual([{ planId: 'kept', version: 1, scheduledFor: at }]);
  });

  test('changes nothing if the same alarm is set again, replaces an alarm with another time, and removes a cancelled alarm', async () => {
    const clock = await open();
    const [at, later] = [inMs(60_000), inMs(90_000)];
    await clock.set(tick('p', at));
    await clock.set(tick('p', at));
    expect(await clock.list()).toEqual([tick('p', at)]);
    await clock.set(tick('p', later));
    expect(await clock.list()).toEqual([tick('p', later)]);
    await clock.set(tick('p', at, 2));
    expect(await clock.list()).toHaveLength(2);
    await clock.cancel(alarmKey(tick('p', later)));
    await clock.cancelAll(['plan:nobody:1', 'plan:nobody:2']);
    expect(await clock.list()).toEqual([tick('p', at, 2)]);
    await clock.setAll([due('twice', at), due('twice', later)]);
    expect(await clock.list()).toContainEqual(due('twice', later));
    expect(await store.documents()).toHaveLength(2);
  });

  test('creates one document and calls the handler once if several clocks set the same alarm 20 times at the same time', async () => {
    const calls = recorder();
    const replicas = [await open(), await open(), await open()];
    const alarm = tick('same', inMs(1_000));
    await Promise.all(Array.from({ length: 20 }, (_, i) => replicas[i % 3]!.set(alarm)));
    expect(await store.documents()).toHaveLength(1);
    // The clocks start only now. If the alarm fired while they still set it, it would correctly fire again.
    await Promise.all(replicas.map((clock) => clock.start(calls.handlers)));
    await calls.reach(1);
    await until(async () => (await store.documents()).length === 0, 'it has been handled');
    expect(calls.count()).toBe(1);
  });

  test('keeps one document if 20 concurrent calls set different times', async () => {
    const replicas = [await open(), await open()];
    const sets = Array.from({ length: 20 }, (_, i) => replicas[i % 2]!.set(tick('torn', inMs(60_000 + i * 1_000))));
    await Promise.allSettled(sets);
    expect(await store.documents()).toHaveLength(1);
  });

  test('shares the alarms between replicas, and each alarm is handled once', async () => {
    const calls = recorder();
    const [first] = [await opened(calls.handlers), await opened(calls.handlers)];
    const alarms = Array.from({ length: 40 }, (_, i) => due(`shared${i}`, inMs(500 + i * 10)));
    await first.setAll(alarms);
    await calls.reach(40);
    await until(async () => (await store.documents()).length === 0, 'all have been handled');
    expect(new Set(calls.dues.map(({ jobId }) => jobId)).size).toBe(40);
    expect(calls.count()).toBe(40);
  });

  test('does not run an alarm twice if it is set again while its handler runs', async () => {
    const calls = recorder();
    const handler = gate();
    const handlers = {
      ...calls.handlers,
      jobDue: (job: { jobId: string }) => calls.handlers.jobDue(job).then(handler.wait),
    };
    const clock = await opened(handlers);
    await opened(handlers);
    const alarm = due('busy', inMs(-1));
    await clock.set(alarm);
    await calls.reach(1);
    const [running] = await store.documents();
    await clock.set(alarm);
    expect(await store.documents()).toEqual([running]);
    expect(await clock.list()).toEqual([alarm]);
    // Both clocks poll until the other alarm has fired. So both have polled, and neither ran the first alarm again.
    await clock.set(tick('probe', inMs(-1)));
    await until(() => calls.ticks.length === 1, 'the probe is handled');
    expect(calls.dues).toHaveLength(1);
    handler.open();
    await until(async () => (await store.documents()).length === 0, 'both have been handled');
    expect(calls.dues).toHaveLength(1);
  });

  test('lets a tick set the next tick of its plan, which then fires at its own time', async () => {
    const calls = recorder();
    const [first, second] = [inMs(-60_000), inMs(700)];
    const clock = await opened({
      ...calls.handlers,
      planTick: async (now) => {
        await calls.handlers.planTick(now);
        if (now.scheduledFor.getTime() === first.getTime()) await clock.set(tick('chain', second));
      },
    });
    await clock.set(tick('chain', first));
    await calls.reach(2);
    expect(calls.ticks.map(({ scheduledFor }) => scheduledFor)).toEqual([first, second]);
    await until(async () => (await store.documents()).length === 0, 'both have been handled');
  });

  test('calls a handler once if it takes longer than the lifetime of the lock, with two replicas', async () => {
    const calls = recorder();
    const handler = gate();
    const handlers = {
      ...calls.handlers,
      jobDue: (job: { jobId: string }) => calls.handlers.jobDue(job).then(handler.wait),
    };
    const clock = await opened(handlers, { lockLifetimeMs: 6_000 });
    await opened(handlers, { lockLifetimeMs: 6_000 });
    const began = Date.now();
    await clock.set(due('slow', new Date()));
    await until(() => Date.now() > began + 12_500, 'two lifetimes have passed');
    expect(calls.count()).toBe(1);
    handler.open();
    await until(async () => (await store.documents()).length === 0, 'it has been handled');
    expect(calls.count()).toBe(1);
    expect(reported).toEqual([]);
  });

  test('reports no error if a slow store saves the end of a run late', async () => {
    const calls = recorder();
    const wire = await openWire(store.url);
    const clock = await open({}, wire.url);
    await clock.start({
      ...calls.handlers,
      jobDue: (job) => {
        wire.slow(300);
        return calls.handlers.jobDue(job);
      },
    });
    await clock.set(due('slow store', inMs(-1)));
    await calls.reach(1);
    await until(async () => (await store.documents()).length === 0, 'it has been handled');
    // After the clock has stopped, no call of the run is pending.
    await clock.stop();
    wire.close();
    expect(calls.count()).toBe(1);
    expect(reported).toEqual([]);
  });

  test('calls a failing handler a limited number of times with growing pauses, reports each failure, then gives up', async () => {
    const times: number[] = [];
    const broken = new Error('no luck');
    const alarm = tick('broken', inMs(-5_000));
    const clock = await opened(
      {
        ...recorder().handlers,
        planTick: ({ scheduledFor }) => {
          times.push(Date.now());
          expect(scheduledFor).toEqual(alarm.at);
          return Promise.reject(broken);
        },
      },
      { attempts: 3, firstRetryMs: 300 },
    );
    await clock.set(alarm);
    await until(() => times.length === 3, 'the third attempt');
    await until(async () => (await clock.list()).length === 0, 'the alarm is given up');
    expect(await store.documents()).toEqual([]);
    expect(reported).toEqual(Array.from({ length: 3 }, () => ({ error: broken, alarm })));
    expect((times[1] ?? 0) - (times[0] ?? 0)).toBeGreaterThanOrEqual(290);
    expect((times[2] ?? 0) - (times[1] ?? 0)).toBeGreaterThanOrEqual(590);
    // The reconciler detects that the alarm is missing, and sets it again.
    await clock.set(alarm);
    await until(() => times.length > 3, 'it fires again');
  });

  test('fires an alarm again if its process was killed during the handler', async () => {
    const victim = alarmProcess('hang');
    await victim.printed('ready');
    const clock = await open({ lockLifetimeMs: 3_000 });
    const alarm = tick('killed', inMs(-1));
    await clock.set(alarm);
    await victim.printed('handling');
    victim.child.kill('SIGKILL');
    await victim.ended;
    expect(await clock.list()).toEqual([alarm]);
    const calls = recorder();
    await clock.start(calls.handlers);
    await calls.reach(1);
    expect(calls.ticks).toEqual([{ planId: 'killed', version: 1, scheduledFor: alarm.at }]);
    await until(async () => (await store.documents()).length === 0, 'it has been handled');
  });

  test('waits for running handlers when it stops, calls no handler afterwards, and leaves the other alarms to other clocks at once', async () => {
    const calls = recorder();
    const handler = gate();
    const clock = await opened(
      { ...calls.handlers, jobDue: (job) => calls.handlers.jobDue(job).then(handler.wait) },
      { processEveryMs: 3_000 },
    );
    await clock.set(due('running', inMs(-1)));
    await calls.reach(1);
    // Agenda has just polled. It polls again in 3 s, and locks the alarms of the 3 s after that.
    const next = tick('next', inMs(5_500));
    await clock.set(next);
    const isLocked = (document: Record<string, unknown>) =>
      (document['lockedAt'] ?? document['locked_at']) instanceof Date;
    await until(
      async () => (await store.documents()).filter(isLocked).length === 2,
      'the next alarm is locked before its time',
    );
    let stopped = false;
    const stopping = clock.stop().then(() => (stopped = true));
    await until(() => Date.now() > next.at.getTime() + 100, 'the time of the next alarm has passed');
    expect(stopped).toBe(false);
    handler.open();
    await stopping;
    expect(calls.count()).toBe(1);
    await expect(clock.set(next)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    const heir = recorder();
    const other = await opened(heir.handlers);
    await heir.reach(1);
    expect(heir.ticks).toEqual([{ planId: 'next', version: 1, scheduledFor: next.at }]);
    expect(heir.dues).toEqual([]);
    await until(async () => (await other.list()).length === 0, 'all have been handled');
  });

  test('leaves nothing open after it has stopped: the process ends by itself', async () => {
    const { ended, printed } = alarmProcess('once');
    await printed('ready');
    const clock = await open();
    await clock.set(due('last', inMs(-1)));
    await printed('handling');
    expect(await ended).toBe(0);
    expect(await clock.list()).toEqual([]);
  });

  test('fires each alarm once if it is set again after the whole store was dropped', async () => {
    const calls = recorder();
    const clock = await opened(calls.handlers);
    const replica = await opened(calls.handlers);
    const alarm = tick('reborn', inMs(60_000));
    await clock.set(alarm);
    await store.drop();
    const soon = { ...alarm, at: inMs(8_000) };
    await Promise.all(Array.from({ length: 10 }, (_, i) => (i % 2 === 0 ? clock : replica).set(soon)));
    expect(await clock.list()).toEqual([soon]);
    expect(await store.documents()).toHaveLength(1);
    await calls.reach(1);
    await until(async () => (await store.documents()).length === 0, 'it has been handled');
    expect(calls.count()).toBe(1);
  });

  test('survives an outage of the store: it reports the outage, throws UNAVAILABLE, and fires due alarms when the store is back', async () => {
    const calls = recorder();
    // The alarm may have been locked when the outage began.
    const clock = await opened(calls.handlers, { lockLifetimeMs: 2_000 });
    const alarm = tick('through', inMs(1_000));
    await clock.set(alarm);
    const restore = await store.interrupt();
    await expect(clock.ping()).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    await expect(clock.set(due('never', new Date()))).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    await until(() => reported.length > 0, 'the outage is reported');
    expect(reported[0]?.error).toMatchObject({ code: 'UNAVAILABLE' });
    expect(reported.length).toBeLessThan(10);
    await restore();
    await calls.reach(1);
    expect(calls.ticks).toEqual([{ planId: 'through', version: 1, scheduledFor: alarm.at }]);
    await clock.ping();
  });

  test('gives up after 5 s if the store does not respond', async () => {
    const wire = await openWire(store.url);
    const clock = await open({}, wire.url);
    await clock.ping();
    wire.silence();
    const began = Date.now();
    await expect(clock.ping()).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    expect(Date.now() - began).toBeLessThan(25_000);
    wire.close();
  });

  test('sets 10,000 alarms in much less than a minute, and finds existing ones when they are set again', async () => {
    const clock = await open();
    const alarms = Array.from({ length: 10_000 }, (_, i) => tick(`far${i}`, inMs(3_600_000 + i)));
    const began = Date.now();
    await clock.setAll(alarms);
    expect(Date.now() - began).toBeLessThan(60_000);
    await clock.setAll(alarms.slice(0, 1_000));
    expect(await clock.list()).toHaveLength(10_000);
  });

  test('handles a backlog that is larger than the number of locks, and each alarm once', async () => {
    const calls = recorder();
    const clock = await opened(calls.handlers);
    await clock.setAll(Array.from({ length: 250 }, (_, i) => due(`backlog${i}`, inMs(-i))));
    await calls.reach(250);
    await until(async () => (await store.documents()).length === 0, 'all have been handled');
    expect(new Set(calls.dues.map(({ jobId }) => jobId)).size).toBe(250);
    expect(calls.count()).toBe(250);
  });

  test('omits a document that is not an alarm from the list, and reports it', async () => {
    const clock = await open();
    await clock.set(due('mine', inMs(60_000)));
    await store.saveByAgenda('plan tick', inMs(60_000), { key: 'foreign' });
    expect((await clock.list()).map(alarmKey)).toEqual(['job:mine']);
    expect(reported).toEqual([{ error: expect.objectContaining({ code: 'INTERNAL' }), alarm: undefined }]);
  });

  test('writes exactly the documents that Agenda itself would write', async () => {
    const clock = await open();
    const alarm = tick('twin', inMs(60_000), 3);
    await clock.set(alarm);
    const [ours] = await store.documents();
    await clock.cancel(alarmKey(alarm));
    await store.saveByAgenda('plan tick', alarm.at, {
      key: 'plan:twin:3',
      kind: 'PLAN_TICK',
      planId: 'twin',
      version: 3,
      at: alarm.at.toISOString(),
    });
    const [theirs] = await store.documents();
    expect(ours).toEqual(theirs);
    expect(Object.keys(ours ?? {}).sort()).toEqual(Object.keys(theirs ?? {}).sort());
    expect(await clock.list()).toEqual([alarm]);
  });
}

function tick(planId: string, at: Date, version = 1): Alarm {
  return { kind: 'PLAN_TICK', planId, version, at };
}

function due(jobId: string, at: Date): Alarm {
  return { kind: 'JOB_DUE', jobId, at };
}

function inMs(ms: number): Date {
  return new Date(Date.now() + ms);
}

function recorder() {
  const ticks: Parameters<AlarmHandlers['planTick']>[0][] = [];
  const dues: Parameters<AlarmHandlers['jobDue']>[0][] = [];
  const count = () => ticks.length + dues.length;
  const handlers: AlarmHandlers = {
    planTick: (tick) => Promise.resolve(void ticks.push(tick)),
    jobDue: (due) => Promise.resolve(void dues.push(due)),
  };
  return {
    ticks,
    dues,
    count,
    handlers,
    reach: (n: number, ms?: number) => until(() => count() >= n, `${n} calls`, ms),
  };
}

function gate() {
  let open: () => void = () => undefined;
  const opened = new Promise<void>((resolve) => (open = resolve));
  return { open: () => open(), wait: () => opened };
}

async function until(condition: () => boolean | Promise<boolean>, what: string, limitMs = 60_000): Promise<void> {
  for (const end = Date.now() + limitMs; !(await condition());) {
    if (Date.now() > end) throw new Error(`Within ${limitMs} ms it did not happen that ${what}.`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** A proxy for the server behind a URL. All traffic through it can be made slow, or stop without an error. */
async function openWire(target: string) {
  const url = new URL(target);
  const [host, port] = [url.hostname, Number(url.port)];
  const sockets = new Set<Socket>();
  let silent = false;
  let delayMs = 0;
  const server = createServer((near) => {
    const far = connect(port, host);
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(from);
      from
        .on('data', (bytes) => {
          if (!silent) setTimeout(() => to.write(bytes), delayMs);
        })
        .on('close', () => to.destroy())
        .on('error', () => to.destroy());
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('No port was given.');
  url.host = `127.0.0.1:${address.port}`;
  return {
    url: url.href,
    silence: () => void (silent = true),
    slow: (ms: number) => void (delayMs = ms),
    close() {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}
