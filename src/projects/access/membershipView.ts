import { EntitySchema, IsNull } from 'typeorm';
import { v5 } from 'uuid';
import type { StreamEvent } from '../../eventSourcing/event.js';
import type { Projection } from '../../eventSourcing/projection.js';
import type { Role } from '../../server/viewer.js';
import { members, type Member, type MembersEvent } from './members.js';

export type MembershipRow = {
  readonly id: string;
  readonly projectId: string;
  readonly serviceId: string | null;
  readonly issuer: string;
  readonly sub: string;
  readonly name: string | null;
  readonly role: Role;
  readonly createdAt: Date;
};

export const MembershipTable = new EntitySchema<MembershipRow>({
  name: 'memberships',
  columns: {
    id: { type: 'uuid', primary: true },
    projectId: { name: 'project_id', type: 'uuid' },
    serviceId: { name: 'service_id', type: 'uuid', nullable: true },
    issuer: { type: 'text' },
    sub: { type: 'text' },
    name: { type: 'text', nullable: true },
    role: { type: 'text' },
    createdAt: { name: 'created_at', type: 'timestamptz' },
  },
});

/** This id never changes, because ids of streams and of memberships are derived from it. */
const namespace = '5f6d8d2c-9b0e-4f6a-9c57-0d6a3a1f4b27';
export const membersStreamId = (projectId: string): string => v5(`members:${projectId}`, namespace);

export const membershipProjection: Projection = {
  name: 'memberships',
  tables: ['memberships'],
  streamTypes: [members.streamType],
  async apply(event, manager) {
    const { projectId, type, data } = event as StreamEvent<MembersEvent>;
    const { issuer, sub, serviceId } = data;
    if (type === 'MemberRemoved') {
      await manager.delete(MembershipTable, { projectId, issuer, sub, serviceId: serviceId ?? IsNull() });
      return;
    }
    const { name, role, at } = data;
    const id = membershipId(projectId, data);
    const { affected } = await manager.update(MembershipTable, { id }, { name, role });
    if (affected === 0) {
      const createdAt = new Date(at);
      await manager.insert(MembershipTable, { id, projectId, serviceId, issuer, sub, name, role, createdAt });
    }
  },
};

function membershipId(projectId: string, { issuer, sub, serviceId }: Member): string {
  return v5(JSON.stringify([projectId, issuer, sub, serviceId]), namespace);
}
