import { createHash } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';
import { listIn, type Reply } from '../session/reply.js';
import { serverErrorNumber, type Session } from '../session/session.js';

/** The name under which the restore tool logs in. So another worker finds the sessions of a killed worker. */
export function restoreAppName(restoreId: string): string {
  return `stowage-restore-${createHash('sha256').update(restoreId).digest('hex').slice(0, 20)}`;
}

/**
 * Ends the operations of this restore, and waits at most `limitMs` for their end. Returns true if no operation is left. A
 * user always sees and may end its own operations. An index that is being built counts as an operation.
 */
export async function endRestoreSessions(
  session: Session,
  restoreId: string,
  { signal, limitMs }: { readonly signal: AbortSignal; readonly limitMs: number },
): Promise<boolean> {
  const until = performance.now() + limitMs;
  for (;;) {
    const running = await runningOperations(session, restoreAppName(restoreId));
    if (running.length === 0) return true;
    for (const operation of running) await kill(session, operation);
    if (performance.now() > until) return false;
    await wait(100, undefined, { signal });
  }
}

async function runningOperations(session: Session, appName: string): Promise<readonly Reply[]> {
  const pipeline = [{ $currentOp: { allUsers: false, idleConnections: false } }, { $match: { appName } }];
  try {
    const reply = await session.command('admin', { aggregate: 1, pipeline, cursor: {} });
    return listIn((reply['cursor'] ?? {}) as Reply, 'firstBatch');
  } catch (error) {
    // A server that is not MongoDB's own may lack $currentOp. 59 CommandNotFound; 40324 and 16436: an unknown stage.
    const number = serverErrorNumber(error);
    if (number === undefined || [6, 7, 13, 89, 91, 11600].includes(number)) throw error;
    return [];
  }
}

async function kill(session: Session, { opid }: Reply): Promise<void> {
  if (typeof opid !== 'number' && typeof opid !== 'string') return;
  await session.command('admin', { killOp: 1, op: opid }).catch((error: unknown) => {
    // The operation has ended meanwhile, or cannot be ended; the next look shows which.
    if (serverErrorNumber(error) === undefined) throw error;
  });
}
