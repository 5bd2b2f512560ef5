import { EntitySchema } from 'typeorm';
import type { Projection } from '../eventSourcing/projection.js';
import type { ProjectEvent } from './project.js';

export type ProjectRow = {
  readonly id: string;
  readonly name: string;
  readonly createdAt: Date;
  readonly version: number;
};

export const ProjectTable = new EntitySchema<ProjectRow>({
  name: 'projects',
  columns: {
    id: { type: 'uuid', primary: true },
    name: { type: 'text' },
    createdAt: { name: 'created_at', type: 'timestamptz' },
    version: { type: 'int' },
  },
});

export const projectProjection: Projection = {
  name: 'projects',
  tables: ['projects'],
  streamTypes: ['Project'],
  async apply(event, manager) {
    const { data } = event as unknown as ProjectEvent;
    await manager.insert(ProjectTable, {
      id: event.streamId,
      name: data.name,
      createdAt: new Date(data.at),
      version: event.version,
    });
  },
};
