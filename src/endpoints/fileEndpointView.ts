import { EntitySchema } from 'typeorm';
import type { Check } from '../check.js';
import type { StreamEvent } from '../eventSourcing/event.js';
import type { Projection } from '../eventSourcing/projection.js';
import type { FileEndpointContent, FileEndpointEvent } from './fileEndpoint.js';

export type FileEndpointRow = FileEndpointContent & {
  readonly id: string;
  readonly projectId: string;
  readonly lastCheck: Check | null;
  readonly createdAt: Date;
  readonly removedAt: Date | null;
  readonly version: number;
};

export const FileEndpointTable = new EntitySchema<FileEndpointRow>({
  name: 'file_endpoints',
  columns: {
    id: { type: 'uuid', primary: true },
    projectId: { name: 'project_id', type: 'uuid' },
    name: { type: 'text' },
    settings: { type: 'jsonb' },
    prefix: { type: 'text' },
    credential: { type: 'jsonb', nullable: true },
    lastCheck: { name: 'last_check', type: 'jsonb', nullable: true },
    createdAt: { name: 'created_at', type: 'timestamptz' },
    removedAt: { name: 'removed_at', type: 'timestamptz', nullable: true },
    version: { type: 'int' },
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
