import type { DataSource } from 'typeorm';
import { findFileEndpoints } from '../endpoints/fileEndpointQueries.js';
import { findBackupPlans } from '../plans/planQueries.js';
import { sharedLoad } from '../server/sharedLoad.js';
import { findServices } from '../services/serviceQueries.js';
import { changesOwnersOfJob, ownersOfJobs } from './ownersOfJobs.js';
import { plansOfServices } from './plansOfServices.js';
import type { ChangeSource } from './watchEntities.js';

/** Loads the rows for all subscriptions of a process together. */
export function entityRelations(tools: { readonly dataSource: DataSource }) {
  const service = sharedLoad((ids) => findServices(tools.dataSource.manager, ids));
  const plan = sharedLoad((ids) => findBackupPlans(tools.dataSource.manager, ids));
  const fileEndpoint = sharedLoad((ids) => findFileEndpoints(tools.dataSource.manager, ids));
  const owners = sharedLoad((ids) => ownersOfJobs(tools.dataSource.manager, ids));
  const plansOf = sharedLoad((ids) => plansOfServices(tools.dataSource.manager, ids));

  const ofServices: readonly ChangeSource[] = [
    { streamType: 'Service', idIn: 'STREAM' },
    { streamType: 'Protection', idIn: 'SERVICE_OF_DATA' },
    {
      streamType: 'BackupPlan',
      idIn: 'STREAM',
      entitiesOf: (ids) => each(ids, async (id) => [(await plan(id))?.serviceId]),
    },
    {
      streamType: 'BackupJob',
      idIn: 'STREAM',
      counts: changesOwnersOfJob,
      entitiesOf: (ids) => each(ids, async (id) => [(await owners(id))?.serviceId]),
    },
  ];
  const ofPlans: readonly ChangeSource[] = [
    { streamType: 'BackupPlan', idIn: 'STREAM' },
    {
      streamType: 'Protection',
      idIn: 'SERVICE_OF_DATA',
      entitiesOf: (ids) => each(ids, async (id) => (await plansOf(id)) ?? []),
    },
    {
      streamType: 'BackupJob',
      idIn: 'STREAM',
      counts: changesOwnersOfJob,
      entitiesOf: (ids) => each(ids, async (id) => [(await owners(id))?.planId]),
    },
  ];
  const ofFileEndpoints: readonly ChangeSource[] = [{ streamType: 'FileEndpoint', idIn: 'STREAM' }];
  return {
    service: { changes: ofServices, load: service },
    plan: { changes: ofPlans, load: plan },
    fileEndpoint: { changes: ofFileEndpoints, load: fileEndpoint },
  };
}

/** The results of all ids, each once. */
async function each(
  ids: readonly string[],
  of: (id: string) => Promise<readonly (string | null | undefined)[]>,
): Promise<readonly string[]> {
  const found = new Set<string>();
  for (const results of await Promise.all(ids.map(of)))
    for (const id of results) if (id !== null && id !== undefined) found.add(id);
  return [...found];
}
