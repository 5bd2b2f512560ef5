import type { EntityManager } from 'typeorm';

/** How many jobs wait and how many are worked on, on the clock of the PostgreSQL server. */
export type QueueCensus = {
  /** They could be claimed now, if a worker were free. */
  readonly due: number;
  /** They wait for their time: retries. */
  readonly later: number;
  /** Worked on, under a lease that runs. */
  readonly held: number;
  /** Under a lease that has run out and that nobody has ended yet. */
  readonly expired: number;
  /** For how long the job that has waited longest could have been claimed; 0 where none waits. */
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
