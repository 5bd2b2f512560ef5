import { Any, IsNull, type EntityManager, type FindOptionsWhere } from 'typeorm';
import { BackupPlanTable, type BackupPlanRow } from '../plans/backupPlanView.js';
import type { ProtectionStatus } from '../services/serviceInput.js';
import { ServiceTable, type ServiceRow } from '../services/serviceView.js';
import { usualDurationsMs } from '../backups/api/backupJobQueries.js';
import { RememberedGaps } from './rememberedGaps.js';
import { protectionOf, type PlannedProtection, type Protection } from './protection.js';
import { consecutiveFailures, milestones, newestStored, noMilestones } from './protectionFacts.js';

const gaps = new RememberedGaps();

const protectedColumns = {
  id: true,
  projectId: true,
  name: true,
  recoveryPointObjectiveMs: true,
  removedAt: true,
} as const;
/** The columns of a service that its protection and its readers need. A whole row may have certificates of 64 kB. */
export type ProtectedService = Pick<ServiceRow, keyof typeof protectedColumns>;

export function findProtectedServices(
  manager: EntityManager,
  where: FindOptionsWhere<ServiceRow>,
): Promise<readonly ProtectedService[]> {
  return manager.find(ServiceTable, { select: protectedColumns, where });
}

/** A protection with the ids of the newest job and the newest success. */
export type KnownProtection = Protection & { readonly latestId: string | null; readonly lastSuccessId: string | null };

/**
 * The protection of each service, in their order. The number of statements does not depend on the number of services.
 */
export async function protectionsOfServices(
  manager: EntityManager,
  services: readonly ProtectedService[],
  now: Date,
): Promise<readonly KnownProtection[]> {
  if (services.length === 0) return [];
  const protections = await standingsOfServices(manager, services, now);
  const ids = services.map(({ id }) => id);
  const jobs = await milestones(manager, 'service_id', ids);
  return protections.map((protection, index) => {
    const { latestId, lastSuccessId } = jobs.get(ids[index] ?? '') ?? noMilestones;
    return { ...protection, latestId, lastSuccessId };
  });
}

/** The protection of each service without the ids of jobs. It costs half as much, for readers of all services. */
export async function standingsOfServices(
  manager: EntityManager,
  services: readonly ProtectedService[],
  now: Date,
): Promise<readonly Protection[]> {
  if (services.length === 0) return [];
  const ids = services.map(({ id }) => id);
  const plans = await manager.findBy(BackupPlanTable, { serviceId: Any(ids), removedAt: IsNull() });
  const planned = await plannedProtections(manager, plans, now);
  const plansOf = new Map<string, PlannedProtection[]>();
  for (const { id, serviceId } of plans) {
    const plan = planned.get(id);
    if (plan !== undefined) plansOf.set(serviceId, [...(plansOf.get(serviceId) ?? []), plan]);
  }
  const newest = await newestStored(manager, ids);
  return services.map(({ id, recoveryPointObjectiveMs }) =>
    protectionOf({
      now,
      objectiveMs: recoveryPointObjectiveMs,
      plans: plansOf.get(id) ?? [],
      dataAsOf: newest.get(id) ?? null,
    }),
  );
}

/** The protection that each plan gives its service, computed from the plan's own backups. A removed plan is NO_PLAN. */
export async function protectionsOfPlans(
  manager: EntityManager,
  plans: readonly BackupPlanRow[],
  now: Date,
): Promise<readonly KnownProtection[]> {
  if (plans.length === 0) return [];
  const services = await findProtectedServices(manager, { id: Any(plans.map(({ serviceId }) => serviceId)) });
  const objectives = new Map(services.map((service) => [service.id, service.recoveryPointObjectiveMs]));
  const planned = await plannedProtections(manager, plans, now);
  const jobs = await milestones(
    manager,
    'plan_id',
    plans.map(({ id }) => id),
  );
  return plans.map((plan) => {
    const milestone = jobs.get(plan.id) ?? noMilestones;
    const own = plan.removedAt === null ? planned.get(plan.id) : undefined;
    const facts = {
      now,
      objectiveMs: objectives.get(plan.serviceId) ?? null,
      plans: own === undefined ? [] : [own],
      dataAsOf: milestone.dataAsOf,
    };
    return { ...protectionOf(facts), latestId: milestone.latestId, lastSuccessId: milestone.lastSuccessId };
  });
}

/** The services of a project that are counted. `serviceIds`: only these. Undefined: all. */
export type CountedServices = { readonly projectId: string; readonly serviceIds?: readonly string[] | undefined };

/** The number of services by status, in the order of `counted`, which names each project with the same services. Statuses without a service are omitted. */
export async function countProtections(
  manager: EntityManager,
  counted: readonly CountedServices[],
  now: Date,
): Promise<readonly (readonly { readonly status: ProtectionStatus; readonly services: number }[])[]> {
  const projectIds = counted.map(({ projectId }) => projectId);
  const services = await findProtectedServices(manager, { projectId: Any(projectIds), removedAt: IsNull() });
  const standings = await standingsOfServices(manager, services, now);
  const counts = new Map(
    counted.map((each) => [each.projectId, { ...each, byStatus: new Map<ProtectionStatus, number>() }]),
  );
  for (const [index, { id, projectId }] of services.entries()) {
    const status = standings[index]?.status;
    const ofProject = counts.get(projectId);
    if (status === undefined || ofProject?.serviceIds?.includes(id) === false) continue;
    ofProject?.byStatus.set(status, (ofProject.byStatus.get(status) ?? 0) + 1);
  }
  return projectIds.map((id) =>
    Array.from(counts.get(id)?.byStatus ?? [], ([status, count]) => ({ status, services: count })),
  );
}

/** The ids of the services of these projects that have one of these statuses. */
export async function servicesProtectedAs(
  manager: EntityManager,
  now: Date,
  projectIds: 'ALL' | readonly string[],
  statuses: readonly ProtectionStatus[],
): Promise<readonly string[]> {
  // LATE alone is the most frequent filter. It does not need the protection of services that cannot be late.
  const candidates = statuses.every((status) => status === 'LATE') ? await possiblyLate(manager, now) : undefined;
  const services = await findProtectedServices(manager, {
    removedAt: IsNull(),
    ...(projectIds === 'ALL' ? {} : { projectId: Any([...projectIds]) }),
    ...(candidates === undefined ? {} : { id: Any([...candidates]) }),
  });
  const protections = await standingsOfServices(manager, services, now);
  return services.flatMap(({ id }, index) => {
    const status = protections[index]?.status;
    return status !== undefined && statuses.includes(status) ? [id] : [];
  });
}

/**
 * The ids of all services that would be LATE if backups took no time. Every LATE service is among them. One statement.
 */
export async function possiblyLate(manager: EntityManager, now: Date): Promise<readonly string[]> {
  const rows = await manager.query<{ id: string; objectiveMs: number | null; schedules: Schedule[]; dataAsOf: Date }[]>(
    `SELECT service.id, service.recovery_point_objective_ms AS "objectiveMs", newest.started_at AS "dataAsOf",
       json_agg(json_build_object('normalized', plan.normalized, 'timeZone', plan.time_zone)) AS schedules
     FROM services service
     JOIN backup_plans plan ON plan.service_id = service.id AND plan.removed_at IS NULL AND NOT plan.paused
     CROSS JOIN LATERAL (
       SELECT max(started_at) AS started_at FROM backup_jobs job
       WHERE job.service_id = service.id AND job.availability = 'STORED'
     ) AS newest
     WHERE service.removed_at IS NULL AND newest.started_at IS NOT NULL
     GROUP BY service.id, newest.started_at`,
  );
  const late: string[] = [];
  for (const { id, objectiveMs, schedules, dataAsOf } of rows) {
    const limitMs = objectiveMs ?? (await shortestGapMs(schedules, now));
    if (dataAsOf.getTime() + limitMs < now.getTime()) late.push(id);
  }
  return late;
}

async function shortestGapMs(schedules: readonly Schedule[], now: Date): Promise<number> {
  const all = await gaps.gapsMs(schedules, now);
  return Math.min(...all.map((gapMs) => gapMs ?? Infinity));
}

type Schedule = { readonly normalized: string; readonly timeZone: string };

async function plannedProtections(
  manager: EntityManager,
  plans: readonly BackupPlanRow[],
  now: Date,
): Promise<ReadonlyMap<string, PlannedProtection>> {
  const planIds = plans.map(({ id }) => id);
  const usual = await usualDurationsMs(manager, planIds);
  const failures = await consecutiveFailures(manager, plans);
  const longest = await gaps.gapsMs(plans, now);
  return new Map(
    plans.map((plan, index) => [
      plan.id,
      {
        paused: plan.paused,
        longestGapMs: longest[index],
        usualDurationMs: usual.get(plan.id),
        consecutiveFailures: failures.get(plan.id) ?? [],
      },
    ]),
  );
}
