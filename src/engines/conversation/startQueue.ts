/** Two processes start at a time. More of them would take the processors from everything else that Stowage does. */
const mostAtOnce = 2;
/** A process that is not ready by then lets the next one start. */
const longestStartMs = 5_000;

let starting = 0;
const waiting: (() => void)[] = [];

/**
 * Waits until another process may start. Call the returned function when the process is ready or has ended; it is
 * idempotent.
 */
export async function enterStartQueue(): Promise<() => void> {
  if (starting < mostAtOnce) starting += 1;
  else await new Promise<void>((resolve) => waiting.push(resolve));
  let isStarting = true;
  const leave = () => {
    if (!isStarting) return;
    isStarting = false;
    clearTimeout(timer);
    // The place passes from one process to the next, so that `starting` stays.
    const next = waiting.shift();
    if (next === undefined) starting -= 1;
    else next();
  };
  const timer = setTimeout(leave, longestStartMs).unref();
  return leave;
}
