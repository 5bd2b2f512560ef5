import type { DataSource } from 'typeorm';
import type { ServerClock } from './contracts/serverClock.js';

const askEveryMs = 10_000;

/**
 * Reads the time of the server every 10 s. In between it adds the time of the monotonic clock, which changes of the
 * machine's clock do not affect. The result goes back only when the server's clock does. Rejects when the first query
 * fails. Later failures are ignored, and the monotonic clock continues.
 */
export async function openServerClock(dataSource: Pick<DataSource, 'query'>): Promise<ServerClock> {
  /** The difference between the server's clock and the monotonic one, in milliseconds. */
  let aheadMs = Number.NEGATIVE_INFINITY;

  async function queryServer(): Promise<void> {
    const askedAtMs = performance.now();
    const ms = await serverMs(dataSource);
    const [least, most] = [ms - performance.now(), ms - askedAtMs];
    // The server read its clock between the request and the answer. If the old difference is within these bounds, it is
    // kept, so that the time does not jump with the duration of the request.
    if (aheadMs < least || aheadMs > most) aheadMs = least;
  }

  await queryServer();
  let isQuerying = false;
  const timer = setInterval(() => {
    if (isQuerying) return;
    isQuerying = true;
    void queryServer()
      .catch(() => undefined)
      .finally(() => {
        isQuerying = false;
      });
  }, askEveryMs);
  timer.unref();
  return {
    now: () => new Date(aheadMs + performance.now()),
    stop: () => clearInterval(timer),
  };
}

/** Milliseconds since 1970. */
export async function serverMs(dataSource: Pick<DataSource, 'query'>): Promise<number> {
  const [{ ms }] = await dataSource.query<[{ ms: number }]>(
    'SELECT (extract(epoch FROM clock_timestamp()) * 1000)::double precision AS ms',
  );
  return ms;
}
