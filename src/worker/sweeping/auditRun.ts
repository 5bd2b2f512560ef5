import { findAudits, saveAudit, type AuditRecord } from '../../endpoints/containerAudit.js';
import { StowageError } from '../../errors.js';
import { missingAfterMs } from '../../backups/storedBackup.js';
import { auditProblem } from './auditFindings.js';
import { auditContainer } from './containerAudit.js';
import { retryDelay } from '../retryDelay.js';
import { unlessAborted } from '../../unlessAborted.js';
import { whileLocked } from '../whileLocked.js';
import type { WorkerTools } from '../workerTools.js';

/** The time limit of an audit. A longer audit would delay all others too much. The findings until then are kept. */
const auditMs = 2 * 3_600_000;
/** A little more than the hour that must pass between the two checks of a missing backup. */
const secondCheckMs = missingAfterMs + 60_000;

/**
 * Audits the containers that are due, one after another. One worker at a time does this for all of them. The first audits
 * of the endpoints are spread over the interval. An audit that fails is repeated after a growing pause, by any worker.
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
    // The stored time is too far in the future to be valid: a clock was set back, or the interval was longer when the
    // time was computed.
    const isDue = dueAt <= now || dueAt > now + Math.max(interval, secondCheckMs);
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
    const { audit, needsSecondCheck, problem } = await unlessAborted(limited, () =>
      auditContainer(tools, fileEndpointId, limited),
    );
    const isWhole = audit.prefixesNotSeen?.length === 0;
    const pauseMs = needsSecondCheck ? Math.min(secondCheckMs, tools.times.audit) : tools.times.audit;
    await saveAudit(manager, {
      ...{ fileEndpointId, result: audit, problem },
      ...(isWhole ? { dueAt: after(pauseMs), failures: 0 } : { dueAt: after(soon()), failures }),
    });
    if (audit.unknownObjects > 0 || audit.missing > 0 || audit.removedSizeBytes > 0) {
      tools.log.warn({ fileEndpointId, audit }, 'A container differs from the log; unknown objects are not changed');
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

/** A number from 0 to 1, always the same for an id. */
function shareOf(id: string): number {
  return Number.parseInt(id.slice(0, 8), 16) / 2 ** 32;
}
