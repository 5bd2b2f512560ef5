import { EntitySchema } from 'typeorm';
import { checkedColumns, type CheckedRow } from '../entities/entityRow.js';
import type { StreamEvent } from '../eventSourcing/event.js';
import type { Projection } from '../eventSourcing/projection.js';
import type { FileEndpointContent, FileEndpointEvent } from './fileEndpoint.js';

export type FileEndpointRow = FileEndpointContent &
  CheckedRow & {
    /** The service that it was created from. */
    readonly serviceId: string | null;
  };

export const FileEndpointTable = new EntitySchema<FileEndpointRow>({
  name: 'file_endpoints',
  columns: {
    ...checkedColumns,
    serviceId: { name: 'service_id', type: 'uuid', nullable: true },
    name: { type: 'text' },
    settings: { type: 'jsonb' },
    prefix: { type: 'text' },
    credential: { type: 'jsonb', nullable: true },
  },
});

export const fileEndpointProjection: Projection = {
  name: 'file_endpoints',
  tables: ['file_endpoints'],
  streamTypes: ['FileEndpoint'],
  async apply(event, manager) {
    const { streamId: id, projectId, version, type, data } = event as StreamEvent<FileEndpointEvent>;
    switch (type) {
      case 'FileEndpointCreated':
        await manager.insert(FileEndpointTable, {
          id,
          projectId,
          ...data.content,
          serviceId: data.serviceId,
          lastCheck: data.check,
          createdAt: new Date(data.at),
          removedAt: null,
          version,
        });
        return;
      case 'FileEndpointUpdated':
        await manager.update(FileEndpointTable, { id }, { ...data.changes, version });
        return;
      case 'FileEndpointChecked':
        await manager.update(FileEndpointTable, { id }, { lastCheck: data.check, version });
        return;
      case 'FileEndpointRemoved':
        await manager.update(FileEndpointTable, { id }, { removedAt: new Date(data.at), version });
    }
  },
};
