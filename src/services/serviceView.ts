import { EntitySchema } from 'typeorm';
import { lookupByScope } from '../server/lookup.js';
import { storedScope } from '../server/scope.js';
import { checkedColumns, type CheckedRow } from '../entities/entityRow.js';
import type { StreamEvent } from '../eventSourcing/event.js';
import type { Projection } from '../eventSourcing/projection.js';
import type { ServiceEvent, ServiceIdentity, ServiceSettings } from './service.js';

export type ServiceRow = ServiceIdentity & ServiceSettings & CheckedRow;

/** The scope of a service is the service itself. */
export const scopeOfService = storedScope('id', 'row.id');

export const ServiceTable = new EntitySchema<ServiceRow>({
  name: 'services',
  columns: {
    ...checkedColumns,
    engine: { type: 'text' },
    instanceId: { name: 'instance_id', type: 'text' },
    name: { type: 'text' },
    host: { type: 'text' },
    port: { type: 'int' },
    username: { type: 'text', nullable: true },
    credential: { type: 'jsonb', nullable: true },
    databases: { type: 'jsonb', nullable: true },
    tls: { type: 'jsonb' },
    authSource: { name: 'auth_source', type: 'text', nullable: true },
    recoveryPointObjectiveMs: { name: 'recovery_point_objective_ms', type: 'double precision', nullable: true },
  },
});

export const serviceLookup = lookupByScope('service', ServiceTable, scopeOfService);

/** All columns but `tls`, which may hold certificates of 64 kB. */
export const columnsWithoutTls: ReadonlySet<keyof ServiceRow> = new Set(
  (Object.keys(ServiceTable.options.columns) as (keyof ServiceRow)[]).filter((column) => column !== 'tls'),
);

export const serviceProjection: Projection = {
  name: 'services',
  tables: ['services'],
  streamTypes: ['Service'],
  async apply(event, manager) {
    const { streamId: id, projectId, version, type, data } = event as StreamEvent<ServiceEvent>;
    switch (type) {
      case 'ServiceRegistered': {
        const { engine, instanceId, settings, at } = data;
        await manager.insert(ServiceTable, {
          id,
          projectId,
          engine,
          instanceId,
          ...settings,
          lastCheck: null,
          createdAt: new Date(at),
          removedAt: null,
          version,
        });
        return;
      }
      case 'ServiceUpdated':
        await manager.update(ServiceTable, { id }, { ...data.changes, version });
        return;
      case 'ServiceChecked':
        await manager.update(ServiceTable, { id }, { lastCheck: data.check, version });
        return;
      case 'ServiceRemoved':
        await manager.update(ServiceTable, { id }, { removedAt: new Date(data.at), version });
    }
  },
};
