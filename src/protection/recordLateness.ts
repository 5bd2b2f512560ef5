import { Any, type DataSource, type EntityManager } from 'typeorm';
import { v5 } from 'uuid';
import type { EventStore, Transaction } from '../eventSourcing/eventStore.js';
import { systemMetadata } from '../eventSourcing/systemMetadata.js';
import { lateness } from './lateness.js';
import { LateServiceTable } from './latenessView.js';
import {
  findProtectedServices,
  possiblyLate,
  standingsOfServices,
  type ProtectedService,
} from './protectionQueries.js';

export type LatenessTools = {
  readonly dataSource: DataSource;
  readonly store: EventStore;
  readonly now: () => Date;
};

/** This id never changes, because the id of the stream about a service's lateness is derived from it. */
const namespace = 'b8b4c1de-7d0f-4c4b-8a53-1d4c7f0f6a19';
export const latenessStreamId = (serviceId: string): string => v5(`protection:${serviceId}`, namespace);

/** The most services that change in one transaction. */
const together = 100;

/**
 * Appends an event for each service that became LATE or is no longer LATE. With `all` it checks all services, otherwise
 * only those that are LATE by the log. Returns after the current transaction if `isStopped` returns true.
 */
export async function recordLateness(tools: LatenessTools, all: boolean, isStopped: () => boolean): Promise<void> {
  const { manager } = tools.dataSource;
  const late = await lateIds(manager);
  const candidates = new Set([...late, ...(all ? await possiblyLate(manager, tools.now()) : [])]);
  const found = await standings(tools, manager, [...candidates]);
  const changed = found.flatMap(({ service: { id }, status }) => ((status === 'LATE') === late.has(id) ? [] : [id]));
  for (let first = 0; first < changed.length && !isStopped(); first += together) {
    await record(tools, changed.slice(first, first + together));
  }
}

async function record(tools: LatenessTools, serviceIds: readonly string[]): Promise<void> {
  await tools.store.transact(systemMetadata('schedule', 'protection'), async (tx) => {
    // Another process handles the services that it has locked.
    const locked = await tx.manager.query<{ id: string }[]>(
      'SELECT id FROM services WHERE id = ANY($1::uuid[]) ORDER BY id FOR UPDATE SKIP LOCKED',
      [serviceIds],
    );
    const ids = locked.map(({ id }) => id);
    for (const standing of await standings(tools, tx.manager, ids)) await recordOne(tx, standing, tools.now());
  });
}

async function recordOne(tx: Transaction, { service, status, dataAsOf, dueBy }: Standing, now: Date): Promise<void> {
  const { id, name, projectId } = service;
  const times = { dataAsOf: dataAsOf?.toISOString() ?? null, dueBy: dueBy?.toISOString() ?? null };
  await tx.execute(
    lateness,
    { id: latenessStreamId(id), projectId },
    { kind: 'RECORD', service: { id, name }, status, ...times, at: now.toISOString() },
  );
}

type Standing = {
  readonly service: ProtectedService;
  readonly status: Parameters<(typeof lateness)['decide']>[0]['status'];
  readonly dataAsOf: Date | null;
  readonly dueBy: Date | null;
};

async function standings(
  { now }: LatenessTools,
  manager: EntityManager,
  ids: readonly string[],
): Promise<readonly Standing[]> {
  if (ids.length === 0) return [];
  const services = await findProtectedServices(manager, { id: Any([...ids]) });
  const protections = await standingsOfServices(manager, services, now());
  return services.flatMap((service, index): Standing[] => {
    const found = protections[index];
    if (found === undefined) return [];
    const { dataAsOf, dueBy } = found;
    return [{ service, status: service.removedAt === null ? found.status : 'REMOVED', dataAsOf, dueBy }];
  });
}

/** The services that are LATE by the log. */
async function lateIds(manager: EntityManager): Promise<ReadonlySet<string>> {
  const rows = await manager.find(LateServiceTable);
  return new Set(rows.map(({ serviceId }) => serviceId));
}
