import { In, type EntityManager } from 'typeorm';
import { RestoreJobTable } from './restoreJobView.js';

/**
 * Whether a restore into a service has not ended, or was cancelled while its sessions there may still run. In both
 * cases the address of the service must not change.
 */
export function restoreUnderWay(manager: EntityManager, serviceId: string): Promise<boolean> {
  return manager.existsBy(RestoreJobTable, [
    { targetServiceId: serviceId, status: In(['QUEUED', 'RUNNING']) },
    { targetServiceId: serviceId, targetLocked: true },
  ]);
}
