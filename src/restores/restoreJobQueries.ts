import { In, type EntityManager, type ObjectLiteral } from 'typeorm';
import { isUuid } from '../server/inputValidation.js';
import { pageRequest, type Page, type PageArguments } from '../server/page.js';
import { selectPage } from '../server/selectPage.js';
import { RestoreJobType } from './restoreJobType.js';
import { RestoreJobTable, type RestoreJobRow } from './restoreJobView.js';

/** Null for what is no id. */
export async function findRestoreJob(manager: EntityManager, id: string): Promise<RestoreJobRow | null> {
  return isUuid(id) ? await manager.findOneBy(RestoreJobTable, { id }) : null;
}

/** In the order of the ids, null for what is not there: the batch of a loader. */
export async function findRestoreJobs(
  manager: EntityManager,
  ids: readonly string[],
): Promise<readonly (RestoreJobRow | null)[]> {
  const rows = await manager.findBy(RestoreJobTable, { id: In(ids.filter(isUuid)) });
  const byId = new Map(rows.map((row) => [row.id, row]));
  return ids.map((id) => byId.get(id.toLowerCase()) ?? null);
}

/** Newest first, narrowed by conditions on `row`. */
export function selectRestoreJobs(
  manager: EntityManager,
  page: PageArguments,
  where: readonly (readonly [string, ObjectLiteral] | undefined)[],
): Promise<Page<RestoreJobType>> {
  return selectPage(manager, pageRequest(page, 'queuedAt'), {
    table: RestoreJobTable,
    where,
    by: {
      expression: 'row.queued_at',
      type: 'timestamptz',
      direction: 'DESC',
      textOf: (row) => row.queuedAt.toISOString(),
    },
    nodeOf: (row) => new RestoreJobType(row),
  });
}
