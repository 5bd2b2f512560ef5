import type { DataSource } from 'typeorm';
import { newestFirst } from '../server/newestFirst.js';
import { pageRequest, type Page, type PageArguments } from '../server/page.js';
import { selectPage } from '../server/selectPage.js';
import { BackupPlanTable, type BackupPlanRow } from './backupPlanView.js';
import { BackupPlanType } from './planType.js';

type Conditions = Parameters<typeof selectPage<BackupPlanRow, BackupPlanType>>[2]['where'];

/** A page of the plans that are not removed, newest first. */
export function selectPlans(
  dataSource: DataSource,
  page: PageArguments,
  where: Conditions,
): Promise<Page<BackupPlanType>> {
  return selectPage(dataSource.manager, pageRequest(page, 'createdAt'), {
    table: BackupPlanTable,
    where: [['row.removed_at IS NULL'], ...where],
    by: newestFirst('createdAt'),
    nodeOf: (row) => new BackupPlanType(row),
  });
}
