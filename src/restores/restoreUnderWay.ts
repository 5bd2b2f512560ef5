import { In, type EntityManager } from 'typeorm';
import { RestoreJobTable } from './restoreJobView.js';

/** Whether a restore into a service waits or runs: until it has ended the service must stay the server that it is. */
export function restoreUnderWay(manager: EntityManager, serviceId: string): Promise<boolean> {
  return manager.existsBy(RestoreJobTable, { targetServiceId: serviceId, status: In(['QUEUED', 'RUNNING']) });
}
