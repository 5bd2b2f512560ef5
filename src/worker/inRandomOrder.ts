import type { WorkerTools } from './workerTools.js';

/**
 * Works on several items at once, so that items that do not answer delay the others only a little. The order is random,
 * so that several workers do not start with the same items that do not answer. `work` must not throw. No further item
 * is begun after `signal` aborts.
 */
export async function inRandomOrder<T>(
  { random }: Pick<WorkerTools, 'random'>,
  items: readonly T[],
  { atOnce, signal }: { readonly atOnce: number; readonly signal: AbortSignal },
  work: (item: T) => Promise<void>,
): Promise<void> {
  const turns = items.map((item) => ({ item, turn: random() })).sort((one, other) => one.turn - other.turn);
  const next = async (): Promise<void> => {
    for (let taken = turns.shift(); taken !== undefined && !signal.aborted; taken = turns.shift()) {
      await work(taken.item);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, next));
}
