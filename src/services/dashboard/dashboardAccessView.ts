import { EntitySchema } from 'typeorm';
import { v5 } from 'uuid';
import type { StreamEvent } from '../../eventSourcing/event.js';
import type { Projection } from '../../eventSourcing/projection.js';
import { dashboardAccess, type DashboardAccessEvent } from './dashboardAccess.js';

export type DashboardAccessRow = {
  readonly id: string;
  readonly projectId: string;
  readonly serviceId: string;
  readonly issuer: string;
  readonly sub: string;
  readonly authorisedAt: Date;
};

export const DashboardAccessTable = new EntitySchema<DashboardAccessRow>({
  name: 'dashboard_accesses',
  columns: {
    id: { type: 'uuid', primary: true },
    projectId: { name: 'project_id', type: 'uuid' },
    serviceId: { name: 'service_id', type: 'uuid' },
    issuer: { type: 'text' },
    sub: { type: 'text' },
    authorisedAt: { name: 'authorised_at', type: 'timestamptz' },
  },
});

/** This id never changes, because the ids of streams are derived from it. */
const namespace = 'c2a7e1f4-3b5d-4a86-9f20-6e8d1b7c5a93';

export function dashboardAccessId(
  person: { readonly issuer: string; readonly sub: string },
  serviceId: string,
): string {
  return v5(JSON.stringify([person.issuer, person.sub, serviceId]), namespace);
}

export const dashboardAccessProjection: Projection = {
  name: 'dashboard_accesses',
  tables: ['dashboard_accesses'],
  streamTypes: [dashboardAccess.streamType],
  async apply(event, manager) {
    const { streamId: id, projectId, data } = event as StreamEvent<DashboardAccessEvent>;
    const { serviceId, issuer, sub, at } = data;
    await manager.insert(DashboardAccessTable, { id, projectId, serviceId, issuer, sub, authorisedAt: new Date(at) });
  },
};
