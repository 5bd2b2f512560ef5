import { fileEndpoint } from '../endpoints/fileEndpoint.js';
import { fileEndpointProjection } from '../endpoints/fileEndpointView.js';
import type { AnyDecider } from '../eventSourcing/decider.js';
import type { Projection } from '../eventSourcing/projection.js';
import { backupJob } from '../backups/backupJob.js';
import { backupJobProjection } from '../backups/backupJobView.js';
import { lateness } from '../protection/lateness.js';
import { latenessProjection } from '../protection/latenessView.js';
import { backupPlan } from '../plans/backupPlan.js';
import { backupPlanProjection } from '../plans/backupPlanView.js';
import { project } from '../projects/project.js';
import { projectProjection } from '../projects/projectView.js';
import { restoreJob } from '../restores/restoreJob.js';
import { restoreJobProjection } from '../restores/restoreJobView.js';
import { service } from '../services/service.js';
import { serviceProjection } from '../services/serviceView.js';

/** The deciders of all slices. Every reader of the log upcasts with them. */
export const deciders: readonly AnyDecider[] = [
  project,
  service,
  fileEndpoint,
  backupPlan,
  backupJob,
  lateness,
  restoreJob,
];

/** The projections of all read models, in the order in which they get an event. */
export const projections: readonly Projection[] = [
  projectProjection,
  serviceProjection,
  fileEndpointProjection,
  backupPlanProjection,
  backupJobProjection,
  latenessProjection,
  restoreJobProjection,
];
