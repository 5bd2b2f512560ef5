import { findAudits, saveAudit, type AuditRecord } from '../../endpoints/containerAudit.js';
import { StowageError } from '../../errors.js';
import { missingAfterMs } from '../../backups/storedBackup.js';
import { auditContainer, auditProblem } from './containerAudit.js';
import { retryDelay } from '../retryDelay.js';
import { unlessAborted } from '../unlessAborted.js';
import { whileLocked } from '../whileLocked.js';
import type { WorkerTools } from '../workerTools.js';

/** An audit that takes longer keeps all others from their turn. What it has said by then stays said. */
const auditMs = 2 * 3_600_000;
/** A little more than the hour that must lie between the two looks at a backup that is not there. */
const secondLookMs = missingAfterMs + 60_000;

/**
 * Audits the containers whose time it is, one after another, by one worker at a time over all of them. The first audits
 * of endpoints are spread over the interval; one that does not come to an end is begun anew after a pause that grows, by
 * whichever worker comes first.
 */
export function createAudits(tools: WorkerTools): (signal: AbortSignal) => Promise<void> {
  return async (signal) => {
    await whileLocked(tools.dataSource, 'audit', async () => {
      for (const [id, record] of await endpointsDue(tools)) {
        if (signal.aborted) return;
        await auditOne(tools, id, record, signal);
      }
    });
  };
}

async function endpointsDue(tools: WorkerTools): Promise<readonly (readonly [string, AuditRecord | null])[]> {
  const { manager } = tools.dataSource;
  const endpoints = await manager.query<{ id: string; created_at: Date }[]>(
    'SELECT id, created_at FROM file_endpoints WHERE removed_at IS NULL ORDER BY id',
  );
  const records = await findAudits(
    manager,
    endpoints.map(({ id }) => id),
  );
  const now = tools.now().getTime();
  const interval = tools.times.audit;
  return endpoints.flatMap(({ id, created_at }, index) => {
    const record = records[index] ?? null;
    const dueAt = record?.dueAt.getTime() ?? created_at.getTime() + interval * shareOf(id);
    // Later than it could have been set: a clock has gone back, or the interval was longer then.
    const isDue = dueAt <= now || dueAt > now + Math.max(interval, secondLookMs);
    return isDue ? [[id, record] as const] : [];
  });
}

async function auditOne(
  tools: WorkerTools,
  fileEndpointId: string,
  before: AuditRecord | null,
  signal: AbortSignal,
): Promise<void> {
  const { manager } = tools.dataSource;
  const after = (ms: number) => new Date(tools.now().getTime() + ms);
  const limited = AbortSignal.any([signal, AbortSignal.timeout(auditMs)]);
  const failures = (before?.failures ?? 0) + 1;
  const soon = () => Math.min(tools.times.audit, retryDelay(failures, tools.times.retry, tools.random()));
  try {
    const { audit, lookAgain, problem } = await unlessAborted(limited, () =>
      auditContainer(tools, fileEndpointId, limited),
    );
    const isWhole = audit.prefixesNotSeen?.length === 0;
    const pauseMs = lookAgain ? Math.min(secondLookMs, tools.times.audit) : tools.times.audit;
    await saveAudit(manager, {
      ...{ fileEndpointId, result: audit, problem },
      ...(isWhole ? { dueAt: after(pauseMs), failures: 0 } : { dueAt: after(soon()), failures }),
    });
    if (audit.unknownObjects > 0 || audit.missing > 0 || audit.removedSizeBytes > 0) {
      tools.log.warn({ fileEndpointId, audit }, 'A container is not as the log says; what is unknown is left alone');
    }
  } catch (error) {
    if (signal.aborted) return;
    tools.log.warn({ err: error, fileEndpointId }, 'A container could not be audited');
    const result = before?.result ?? null;
    const problem = auditProblem(limited.aborted ? tookTooLong() : error);
    await saveAudit(manager, { fileEndpointId, dueAt: after(soon()), failures, result, problem });
  }
}

function tookTooLong(): StowageError {
  const hours = auditMs / 3_600_000;
  return new StowageError(
    'ENDPOINT_UNREACHABLE',
    `The container could not be compared with the log in ${hours} hours.`,
  );
}

/** From 0 up to 1, always the same for an id. */
function shareOf(id: string): number {
  return Number.parseInt(id.slice(0, 8), 16) / 2 ** 32;
}
