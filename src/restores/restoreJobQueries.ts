import type { EntityManager } from 'typeorm';
import { newestFirst } from '../server/newestFirst.js';
import { pageRequest, type Page, type PageArguments } from '../server/page.js';
import { selectPage } from '../server/selectPage.js';
import type { Condition } from '../server/tableReader.js';
import { RestoreJobType } from './restoreJobType.js';
import { RestoreJobTable } from './restoreJobView.js';

/** The restore jobs, newest first. `where` has conditions on `row`. */
export function selectRestoreJobs(
  manager: EntityManager,
  page: PageArguments,
  where: readonly (Condition | undefined)[],
): Promise<Page<RestoreJobType>> {
  return selectPage(manager, pageRequest(page, 'queuedAt'), {
    table: RestoreJobTable,
    where,
    by: newestFirst('queuedAt'),
    nodeOf: (row) => new RestoreJobType(row),
  });
}
