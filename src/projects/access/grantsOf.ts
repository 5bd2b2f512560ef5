import type { EntityManager } from 'typeorm';
import type { Grant } from '../../server/viewer.js';
import { MembershipTable } from './membershipView.js';

/** The grants that a person has now as a member of projects and services. */
export async function grantsOf(
  manager: EntityManager,
  { issuer, sub }: { readonly issuer: string; readonly sub: string },
): Promise<readonly Grant[]> {
  const rows = await manager.findBy(MembershipTable, { issuer, sub });
  return rows.map(({ projectId, serviceId, role }) => ({ projectId, serviceId, role }));
}
