import type { DataSource } from 'typeorm';
import type { ServerClock } from './contracts/serverClock.js';

const askEveryMs = 10_000;

/**
 * Asks the server for its time, and goes on from there by the monotonic clock, which no setting of the machine's clock
 * moves; asks again every 10 s. It goes back only when the server's clock has. Rejects when the first answer does not
 * come; later the time goes on without one.
 */
export async function openServerClock(dataSource: Pick<DataSource, 'query'>): Promise<ServerClock> {
  /** What the server's clock is ahead of the monotonic one. */
  let aheadMs = Number.NEGATIVE_INFINITY;

  async function ask(): Promise<void> {
    const askedAtMs = performance.now();
    const ms = await serverMs(dataSource);
    const [least, most] = [ms - performance.now(), ms - askedAtMs];
    // Somewhere on the way there and back the server looked at its clock: what fits that is as good as the new answer.
    if (aheadMs < least || aheadMs > most) aheadMs = least;
  }

  await ask();
  let asking = false;
  const timer = setInterval(() => {
    if (asking) return;
    asking = true;
    void ask()
      .catch(() => undefined)
      .finally(() => {
        asking = false;
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
