import { keyOf, type Counts } from '../catalog/inventory.js';
import { countBatch, inBatches, type TableToCount } from './countRows.js';
import type { Session } from '../session/session.js';

/**
 * Counts tables until `budgetMs` is used up, the smallest first. The other tables are left out. No lock outlives its
 * statement. `onAnswer` is called while a statement runs, as if the server answered, because each statement has its own
 * time limit.
 */
export async function countAll(
  session: Session,
  tables: readonly TableToCount[],
  { budgetMs, onAnswer }: { readonly budgetMs: number; readonly onAnswer?: (() => void) | undefined },
): Promise<Counts> {
  const until = performance.now() + budgetMs;
  const counts = new Map<string, number>();
  const ticking = onAnswer === undefined ? undefined : setInterval(onAnswer, tickMs);
  try {
    for (const batch of inBatches(tables)) {
      const leftMs = until - performance.now();
      if (leftMs <= 0) break;
      const { rows } = await countBatch(session, batch.tables, leftMs);
      for (const [table, counted] of rows) counts.set(keyOf(table), counted);
    }
    return counts;
  } finally {
    clearInterval(ticking);
  }
}

const tickMs = 1_000;
