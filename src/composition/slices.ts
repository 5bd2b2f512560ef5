import type { EntitySchema } from 'typeorm';
import { fileEndpoint } from '../endpoints/fileEndpoint.js';
import { fileEndpointProjection, FileEndpointTable } from '../endpoints/fileEndpointView.js';
import type { AnyDecider } from '../eventSourcing/decider.js';
import type { Projection } from '../eventSourcing/projection.js';
import { backupPlan } from '../plans/backupPlan.js';
import { backupPlanProjection, BackupPlanTable } from '../plans/backupPlanView.js';
import { accessToken } from '../projects/access/accessToken.js';
import { accessTokenProjection, AccessTokenTable } from '../projects/access/accessTokenView.js';
import { members } from '../projects/access/members.js';
import { membershipProjection, MembershipTable } from '../projects/access/membershipView.js';
import { project } from '../projects/project.js';
import { projectProjection, ProjectTable } from '../projects/projectView.js';
import { lateness } from '../protection/lateness.js';
import { latenessProjection, LateServiceTable } from '../protection/latenessView.js';
import { dashboardAccess } from '../services/dashboard/dashboardAccess.js';
import { dashboardAccessProjection, DashboardAccessTable } from '../services/dashboard/dashboardAccessView.js';
import { service } from '../services/service.js';
import { serviceProjection, ServiceTable } from '../services/serviceView.js';
import { jobKinds } from './jobKinds.js';

/** A type of stream. */
export type Slice = {
  /** Every reader of the log upcasts events with this decider. */
  readonly decider: AnyDecider;
  /** The read model: its table needs a migration. */
  readonly table: EntitySchema;
  readonly projection: Projection;
};

export const slices: readonly Slice[] = [
  { decider: project, table: ProjectTable, projection: projectProjection },
  { decider: members, table: MembershipTable, projection: membershipProjection },
  { decider: accessToken, table: AccessTokenTable, projection: accessTokenProjection },
  { decider: service, table: ServiceTable, projection: serviceProjection },
  { decider: dashboardAccess, table: DashboardAccessTable, projection: dashboardAccessProjection },
  { decider: fileEndpoint, table: FileEndpointTable, projection: fileEndpointProjection },
  { decider: backupPlan, table: BackupPlanTable, projection: backupPlanProjection },
  { decider: lateness, table: LateServiceTable, projection: latenessProjection },
  ...jobKinds,
];
