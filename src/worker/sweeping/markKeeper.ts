import { renewMark } from '../../endpoints/prefixMarks.js';
import type { MarkedPrefix } from '../../postgres/contracts/prefixMarks.js';
import { inRandomOrder } from '../inRandomOrder.js';
import { createPauses } from '../pauses.js';
import { unlessAborted } from '../../unlessAborted.js';
import { whileLocked } from '../whileLocked.js';
import type { WorkerTools } from '../workerTools.js';

const renewalMs = 60_000;
const atOnce = 8;

/**
 * Renews the marks of all prefixes that are due, so that a copy of this database can see that this installation is
 * active. One worker at a time does this. An endpoint that does not answer is tried again after a growing pause.
 */
export function createMarkKeeper(tools: WorkerTools): (signal: AbortSignal) => Promise<void> {
  const reported = new Set<string>();
  const pauses = createPauses({ baseMs: tools.times.retry, random: tools.random });

  async function renew(place: PlaceDue, signal: AbortSignal): Promise<void> {
    const { fileEndpointId, prefix } = place;
    const key = `${fileEndpointId} ${prefix}`;
    if (!pauses.isOver(key)) return;
    try {
      const { storage } = await tools.storageOf(fileEndpointId);
      try {
        const limited = AbortSignal.any([signal, AbortSignal.timeout(renewalMs)]);
        const isShared = await unlessAborted(limited, () => renewMark(tools, storage, place, limited));
        if (isShared && !reported.has(key)) {
          reported.add(key);
          tools.log.warn({ fileEndpointId, prefix }, 'Several projects use the place of a file endpoint');
        }
      } finally {
        await storage.close();
      }
      pauses.answered(key);
    } catch (error) {
      if (signal.aborted) return;
      pauses.refused(key);
      tools.log.warn({ err: error, fileEndpointId, prefix }, 'The mark of a prefix could not be renewed');
    }
  }

  return async (signal) => {
    // The deletions already log the reason.
    if ((await tools.prefixMarks.standing(tools.times.watch)).kind !== 'OWN') return;
    await whileLocked(tools.dataSource, 'marks', async () => {
      await inRandomOrder(tools, await placesDue(tools), { atOnce, signal }, (place) => renew(place, signal));
    });
  };
}

type PlaceDue = MarkedPrefix & { readonly projectId: string };

/** The current prefix of each endpoint, and its earlier prefixes with older backups. */
async function placesDue({ dataSource, times }: WorkerTools): Promise<readonly PlaceDue[]> {
  return await dataSource.query<PlaceDue[]>(
    `SELECT endpoint.id AS "fileEndpointId", endpoint.project_id AS "projectId", place.prefix, endpoint.created_at AS since
     FROM file_endpoints endpoint
     CROSS JOIN LATERAL (
       SELECT endpoint.prefix UNION SELECT prefix FROM prefix_marks WHERE file_endpoint_id = endpoint.id
     ) place
     LEFT JOIN prefix_marks marks ON marks.file_endpoint_id = endpoint.id AND marks.prefix = place.prefix
     LEFT JOIN installation_home home ON true
     CROSS JOIN LATERAL (SELECT coalesce(marks.renewed_at, endpoint.created_at) AS last) renewal
     WHERE endpoint.removed_at IS NULL AND (
       last < home.adopted_at
       OR abs(extract(epoch FROM clock_timestamp() - last)) * 1000 >= $1
     )`,
    [times.mark],
  );
}
