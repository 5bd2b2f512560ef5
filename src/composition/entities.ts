import type { EntitySchema } from 'typeorm';
import { FileEndpointTable } from '../endpoints/fileEndpointView.js';
import { BackupJobTable } from '../backups/backupJobView.js';
import { LateServiceTable } from '../protection/latenessView.js';
import { BackupPlanTable } from '../plans/backupPlanView.js';
import { ProjectTable } from '../projects/projectView.js';
import { RestoreJobTable } from '../restores/restoreJobView.js';
import { ServiceTable } from '../services/serviceView.js';

/** The rows of every read model. A slice's view adds its own here, and its table to a migration. */
export const entities = [
  ProjectTable,
  ServiceTable,
  FileEndpointTable,
  BackupPlanTable,
  BackupJobTable,
  LateServiceTable,
  RestoreJobTable,
] as unknown as readonly EntitySchema[];
