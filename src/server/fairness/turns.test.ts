import { expect, test } from '@jest/globals';
import { Turns, type Claimant } from './turns.js';
import { Usage } from './usage.js';

function used({ answer = 0, connection = 0 }: { answer?: number; connection?: number }, viewer: Usage): Claimant {
  const of = (microseconds: number) => {
    const usage = new Usage();
    usage.add(microseconds);
    return usage;
  };
  return { answer: of(answer), connection: of(connection), viewer };
}

/** Takes the slice of this iteration of the event loop. */
async function occupy(turns: Turns): Promise<void> {
  const began = performance.now();
  while (turns.next(used({}, new Usage())) === undefined && performance.now() - began < 1_000);
  await Promise.resolve();
}

async function turn(turns: Turns, claimant: Claimant): Promise<void> {
  await turns.next(claimant);
}

test('a short request is among the next three, whatever its connection has used and however many long ones wait', async () => {
  const turns = new Turns();
  const viewer = new Usage();
  await occupy(turns);
  const order: string[] = [];
  const long = async () => {
    await turn(turns, used({ answer: 2_000 }, viewer));
    order.push('long');
  };
  const short = async () => {
    await turn(turns, used({ answer: 10, connection: 500_000 }, viewer));
    order.push('short');
  };
  await Promise.all([...Array.from({ length: 12 }, long), short()]);
  expect(order.slice(0, 4)).toContain('short');
});

test('clients that have used little are served in the order in which they came', async () => {
  const turns = new Turns();
  await occupy(turns);
  const order: number[] = [];
  await Promise.all(
    [9_000, 5_000, 1_000, 20_000].map(async (connection, index) => {
      await turn(turns, used({ connection }, new Usage()));
      order.push(index);
    }),
  );
  expect(order).toEqual([0, 1, 2, 3]);
});

test('an answer keeps its slice until it is over', async () => {
  const turns = new Turns();
  await occupy(turns);
  const [one, other] = [used({}, new Usage()), used({}, new Usage())];
  const waiting = [turn(turns, one), turn(turns, other)];
  await waiting[0];
  expect(turns.next(one)).toBeUndefined();
  expect(turns.next(other)).toBeInstanceOf(Promise);
  await Promise.all(waiting);
});
