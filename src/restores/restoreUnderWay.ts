import { In, type EntityManager } from 'typeorm';
import { RestoreJobTable } from './restoreJobView.js';

/**
 * Whether a restore into a service waits or runs, or was cancelled and its sessions there have not ended yet: until then
 * the service must stay the server that it is.
 */
export function restoreUnderWay(manager: EntityManager, serviceId: string): Promise<boolean> {
  return manager.existsBy(RestoreJobTable, [
    { targetServiceId: serviceId, status: In(['QUEUED', 'RUNNING']) },
    { targetServiceId: serviceId, targetLocked: true },
  ]);
}
