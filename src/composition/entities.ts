import type { EntitySchema } from 'typeorm';
import { FileEndpointTable } from '../endpoints/fileEndpointView.js';
import { BackupJobTable } from '../backups/backupJobView.js';
import { LateServiceTable } from '../protection/latenessView.js';
import { BackupPlanTable } from '../plans/backupPlanView.js';
import { ProjectTable } from '../projects/projectView.js';
import { RestoreJobTable } from '../restores/restoreJobView.js';
import { ServiceTable } from '../services/serviceView.js';

/** The entities of every read model. A new view is added here, and its table in a migration. */
export const entities = [
  ProjectTable,
  ServiceTable,
  FileEndpointTable,
  BackupPlanTable,
  BackupJobTable,
  LateServiceTable,
  RestoreJobTable,
] as unknown as readonly EntitySchema[];
