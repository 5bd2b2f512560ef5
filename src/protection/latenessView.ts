import { EntitySchema } from 'typeorm';
import type { StreamEvent } from '../eventSourcing/event.js';
import type { Projection } from '../eventSourcing/projection.js';
import { lateness, type LatenessEvent } from './lateness.js';

/** A service that is LATE by the log. */
export type LateServiceRow = {
  readonly serviceId: string;
  readonly projectId: string;
  readonly dataAsOf: Date;
  readonly dueBy: Date;
  readonly since: Date;
};

export const LateServiceTable = new EntitySchema<LateServiceRow>({
  name: 'late_services',
  columns: {
    serviceId: { name: 'service_id', type: 'uuid', primary: true },
    projectId: { name: 'project_id', type: 'uuid' },
    dataAsOf: { name: 'data_as_of', type: 'timestamptz' },
    dueBy: { name: 'due_by', type: 'timestamptz' },
    since: { type: 'timestamptz' },
  },
});

export const latenessProjection: Projection = {
  name: 'late_services',
  tables: ['late_services'],
  streamTypes: [lateness.streamType],
  async apply(event, manager) {
    const { projectId, type, data } = event as StreamEvent<LatenessEvent>;
    if (type !== 'ServiceBecameLate') {
      await manager.delete(LateServiceTable, { serviceId: data.serviceId });
      return;
    }
    const { serviceId, dataAsOf, dueBy, at } = data;
    await manager.insert(LateServiceTable, {
      ...{ serviceId, projectId },
      dataAsOf: new Date(dataAsOf),
      dueBy: new Date(dueBy),
      since: new Date(at),
    });
  },
};
