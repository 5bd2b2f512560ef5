import { EntitySchema } from 'typeorm';
import { lookupByScope } from '../../server/lookup.js';
import { storedScope } from '../../server/scope.js';
import type { StreamEvent } from '../../eventSourcing/event.js';
import type { Projection } from '../../eventSourcing/projection.js';
import type { Role } from '../../server/viewer.js';
import { accessToken, type AccessTokenEvent } from './accessToken.js';

export type AccessTokenRow = {
  readonly id: string;
  readonly projectId: string;
  readonly serviceId: string | null;
  readonly name: string;
  readonly role: Role;
  readonly createdAt: Date;
  readonly expiresAt: Date | null;
  readonly revokedAt: Date | null;
  readonly version: number;
};

export const scopeOfAccessToken = storedScope('serviceId', 'row.service_id');

export const AccessTokenTable = new EntitySchema<AccessTokenRow>({
  name: 'access_tokens',
  columns: {
    id: { type: 'uuid', primary: true },
    projectId: { name: 'project_id', type: 'uuid' },
    serviceId: { name: 'service_id', type: 'uuid', nullable: true },
    name: { type: 'text' },
    role: { type: 'text' },
    createdAt: { name: 'created_at', type: 'timestamptz' },
    expiresAt: { name: 'expires_at', type: 'timestamptz', nullable: true },
    revokedAt: { name: 'revoked_at', type: 'timestamptz', nullable: true },
    version: { type: 'int' },
  },
});

export const accessTokenLookup = lookupByScope('access token', AccessTokenTable, scopeOfAccessToken);

export const accessTokenProjection: Projection = {
  name: 'access_tokens',
  tables: ['access_tokens'],
  streamTypes: [accessToken.streamType],
  async apply(event, manager) {
    const { streamId: id, projectId, version, type, data } = event as StreamEvent<AccessTokenEvent>;
    if (type === 'AccessTokenRevoked') {
      await manager.update(AccessTokenTable, { id }, { revokedAt: new Date(data.at), version });
      return;
    }
    const { name, role, serviceId, expiresAt } = data.content;
    await manager.insert(AccessTokenTable, {
      ...{ id, projectId, serviceId, name, role, version },
      createdAt: new Date(data.at),
      expiresAt: expiresAt === null ? null : new Date(expiresAt),
      revokedAt: null,
    });
  },
};
