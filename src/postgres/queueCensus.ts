import type { EntityManager } from 'typeorm';

/** The numbers of waiting and leased jobs, by the clock of the PostgreSQL server. */
export type QueueCensus = {
  /** Jobs that a free worker could claim now. */
  readonly due: number;
  /** Jobs that wait for their due time. These are retries. */
  readonly later: number;
  /** Jobs with a valid lease. */
  readonly held: number;
  /** Jobs with an expired lease that the reaper has not ended yet. */
  readonly expired: number;
  /** For how long the longest waiting job has been claimable. 0 if no job waits. */
  readonly longestWaitSeconds: number;
};

export async function queueCensus(manager: EntityManager): Promise<QueueCensus> {
  const [row] = await manager.query<Record<string, string>[]>(
    `SELECT count(*) FILTER (WHERE worker_id IS NULL AND due_at <= now()) AS due,
       count(*) FILTER (WHERE worker_id IS NULL AND due_at > now()) AS later,
       count(*) FILTER (WHERE lease_expires_at > now()) AS held,
       count(*) FILTER (WHERE lease_expires_at <= now()) AS expired,
       coalesce(greatest(extract(epoch FROM now() - min(due_at) FILTER (WHERE worker_id IS NULL)), 0), 0) AS longest
     FROM job_queue`,
  );
  const of = (name: string) => Number(row?.[name] ?? 0);
  return {
    due: of('due'),
    later: of('later'),
    held: of('held'),
    expired: of('expired'),
    longestWaitSeconds: of('longest'),
  };
}
