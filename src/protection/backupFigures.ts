import { IsNull, type EntityManager } from 'typeorm';
import { findProjects } from '../projects/projectQueries.js';
import type { ProtectionStatus } from '../services/serviceInput.js';
import type { BackupJobStatus } from '../backups/backupJobView.js';
import { findProtectedServices, standingsOfServices, type ProtectedService } from './protectionQueries.js';

/** Sums over all backups of an installation. */
export type BackupTotals = {
  readonly jobs: Readonly<Partial<Record<BackupJobStatus, number>>>;
  /** Uncompressed bytes of all backups that ever succeeded. */
  readonly readBytes: number;
  /** Bytes that these backups took in the containers. */
  readonly writtenBytes: number;
  /** Bytes of the backups that are STORED or DELETING now, by the log. */
  readonly storedBytes: number;
};

/** The figures of one service in the metrics. */
export type ServiceFigures = {
  readonly projectId: string;
  readonly projectName: string;
  readonly serviceId: string;
  readonly serviceName: string;
  readonly protection: ProtectionStatus;
  /** The start of the newest stored backup. Null: there is none. */
  readonly dataAsOf: Date | null;
};

/** Uses one statement, for which PostgreSQL reads only an index and no row. */
export async function backupTotals(manager: EntityManager): Promise<BackupTotals> {
  const rows = await manager.query<
    { status: BackupJobStatus; availability: string | null; jobs: string; read: string; written: string }[]
  >(
    `SELECT status, availability, count(*) AS jobs, coalesce(sum(size_bytes), 0) AS read,
       coalesce(sum(stored_size_bytes), 0) AS written
     FROM backup_jobs GROUP BY status, availability`,
  );
  const jobs: Partial<Record<BackupJobStatus, number>> = {};
  for (const row of rows) jobs[row.status] = (jobs[row.status] ?? 0) + Number(row.jobs);
  const stored = rows.filter(({ availability }) => availability === 'STORED' || availability === 'DELETING');
  return {
    jobs,
    readBytes: sum(rows.map(({ read }) => read)),
    writtenBytes: sum(rows.map(({ written }) => written)),
    storedBytes: sum(stored.map(({ written }) => written)),
  };
}

/**
 * The figures of all services that are not removed. The number of statements does not depend on the number of services.
 */
export async function serviceFigures(manager: EntityManager, now: Date): Promise<readonly ServiceFigures[]> {
  const services = await findProtectedServices(manager, { removedAt: IsNull() });
  const protections = await standingsOfServices(manager, services, now);
  const names = await projectNames(manager, services);
  return services.flatMap(({ id, name, projectId }, index): ServiceFigures[] => {
    const protection = protections[index];
    if (protection === undefined) return [];
    const { status, dataAsOf } = protection;
    const projectName = names.get(projectId) ?? '';
    return [{ projectId, projectName, serviceId: id, serviceName: name, protection: status, dataAsOf }];
  });
}

async function projectNames(
  manager: EntityManager,
  services: readonly ProtectedService[],
): Promise<ReadonlyMap<string, string>> {
  const ids = [...new Set(services.map(({ projectId }) => projectId))];
  const projects = await findProjects(manager, ids);
  return new Map(projects.flatMap((project) => (project === null ? [] : [[project.id, project.name] as const])));
}

function sum(values: readonly string[]): number {
  return values.reduce((total, value) => total + Number(value), 0);
}
