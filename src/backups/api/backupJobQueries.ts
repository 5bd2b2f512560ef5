import type { EntityManager } from 'typeorm';
import { RawJson } from '../../server/budget/rawJson.js';
import { pageRequest, type Page, type PageArguments } from '../../server/page.js';
import { selectPage, type PageSelection } from '../../server/selectPage.js';
import type { Condition } from '../../server/tableReader.js';
import { filterConditions } from './backupJobFilter.js';
import type { BackupJobFilter, BackupJobOrder, BackupJobSort } from './backupJobInput.js';
import type { BackupAccountsType } from './backupAccountsType.js';
import { BackupJobType, type InventorySummaryType } from './backupJobType.js';
import { BackupJobTable, type BackupJobRow } from '../backupJobView.js';
import { columnsOfListed } from './listedColumns.js';

/** An inventory and its bytes as text. `inventory` is null if none was taken, or if it was too large to be read. */
export type ReadInventory = { readonly inventory: unknown; readonly bytes: number };

/** How many bytes of inventories one statement reads. */
const mostInventoryBytes = 1_048_576;

/**
 * The batch of a loader: the inventories of these backups, in the order of the ids, until the limit of one statement is
 * reached. For the other backups only the number of bytes is read.
 */
export async function findInventories(
  manager: EntityManager,
  ids: readonly string[],
): Promise<readonly ReadInventory[]> {
  const rows = await manager.query<{ id: string; inventory: unknown; bytes: number }[]>(
    `SELECT id, bytes, CASE WHEN sum(bytes) OVER (ORDER BY place) <= $2 THEN inventory END AS inventory
     FROM (
       SELECT job.id, place, inventory, coalesce(octet_length(inventory::text), 0) AS bytes
       FROM unnest($1::uuid[]) WITH ORDINALITY AS asked (id, place) JOIN backup_jobs AS job USING (id)
     ) AS sized`,
    [ids, mostInventoryBytes],
  );
  const byId = new Map(rows.map(({ id, ...read }) => [id, read]));
  return ids.map((id) => byId.get(id) ?? { inventory: null, bytes: 0 });
}

/** Reads the inventory of one backup as its text. An inventory of more than `mostBytes` is not read. */
export async function findInventory(
  manager: EntityManager,
  id: string,
  mostBytes: number,
): Promise<{ readonly inventory: RawJson | null; readonly bytes: number }> {
  const [row] = await manager.query<{ inventory: string | null; bytes: number }[]>(
    `SELECT CASE WHEN octet_length(inventory::text) <= $2 THEN inventory::text END AS inventory,
       coalesce(octet_length(inventory::text), 0) AS bytes
     FROM backup_jobs WHERE id = $1`,
    [id, mostBytes],
  );
  const { inventory = null, bytes = 0 } = row ?? {};
  return { inventory: inventory === null ? null : new RawJson(inventory), bytes };
}

/**
 * The batch of a loader: summaries of these inventories. PostgreSQL computes them, so that the names of thousands of
 * tables are not read. Null: there is no inventory, or this version does not know its form.
 */
export async function findInventorySummaries(
  manager: EntityManager,
  ids: readonly string[],
): Promise<readonly (InventorySummaryType | null)[]> {
  type Figures = Omit<InventorySummaryType, 'tables' | 'rows'> & { id: string; rows: (number | null)[] };
  const inventories = await manager.query<Figures[]>(
    `SELECT id, inventory->>'serverVersion' AS "serverVersion", inventory->>'toolVersion' AS "toolVersion",
       inventory->'sizeBytes' AS size, jsonb_array_length(inventory->'databases') AS databases,
       jsonb_path_query_array(inventory, '$.databases[*].tables[*].rows') AS rows,
       jsonb_path_exists(inventory, '$.databases[*].tables[*].rowsEstimated ? (@ == true)') AS "rowsEstimated"
     FROM backup_jobs WHERE id = ANY($1::uuid[]) AND jsonb_typeof(inventory->'databases') = 'array'`,
    [ids],
  );
  const byId = new Map(
    inventories.map(({ id, rows, ...rest }) => [id, { ...rest, tables: rows.length, rows: sumOf(rows) }]),
  );
  return ids.map((id) => byId.get(id) ?? null);
}

/** The most users, and the most roles, that a query returns. */
const mostAccounts = 1_000;

/** The batch of a loader: the accounts of these backups. Null: the backup contains no accounts. */
export async function findAccounts(
  manager: EntityManager,
  ids: readonly string[],
): Promise<readonly (BackupAccountsType | null)[]> {
  type Found = { id: string; users: string[]; roles: string[]; totalUsers: number; totalRoles: number };
  const found = await manager.query<Found[]>(
    `SELECT id, jsonb_path_query_array(accounts->'users', '$[0 to $last]', last) AS users,
       jsonb_path_query_array(accounts->'roles', '$[0 to $last]', last) AS roles,
       jsonb_array_length(accounts->'users') AS "totalUsers", jsonb_array_length(accounts->'roles') AS "totalRoles"
     FROM (SELECT id, inventory->'accounts' AS accounts, jsonb_build_object('last', $2::int - 1) AS last
           FROM backup_jobs WHERE id = ANY($1::uuid[]) OFFSET 0) AS read
     WHERE jsonb_typeof(accounts) = 'object'`,
    [ids, mostAccounts],
  );
  const byId = new Map(found.map(({ id, ...accounts }) => [id, accounts]));
  return ids.map((id) => byId.get(id) ?? null);
}

/** Null if one of the numbers is unknown. */
function sumOf(numbers: readonly (number | null)[]): number | null {
  return numbers.reduce((sum, number) => (sum === null || number === null ? null : sum + number), 0);
}

/**
 * A page of the jobs that match the filter, newest first by default. `within` has further conditions on `row`. `fields`
 * are the fields of the nodes. Undefined: all fields.
 */
export function selectBackupJobs(
  manager: EntityManager,
  page: PageArguments,
  list: {
    readonly within: readonly (Condition | undefined)[];
    readonly filter: BackupJobFilter | null | undefined;
    readonly order: BackupJobOrder | null | undefined;
    readonly fields?: ReadonlySet<string>;
  },
): Promise<Page<BackupJobType>> {
  const { by, direction } = list.order ?? { by: 'QUEUED_AT', direction: 'DESC' };
  return selectPage(manager, pageRequest(page, `${by} ${direction}`), {
    table: BackupJobTable,
    where: [...list.within, ...filterConditions(list.filter)],
    by: { ...sortKeys[by], direction },
    nodeOf: (row) => new BackupJobType(row),
    columns: list.fields && columnsOfListed(list.fields),
  });
}

/** The median execution time of a plan's last 10 successes, in milliseconds. Undefined: there is no success yet. */
export async function usualDurationMs(manager: EntityManager, planId: string): Promise<number | undefined> {
  return (await usualDurationsMs(manager, [planId])).get(planId);
}

/** The median execution times for several plans at once. */
export async function usualDurationsMs(
  manager: EntityManager,
  planIds: readonly string[],
): Promise<ReadonlyMap<string, number>> {
  const rows = await manager.query<{ plan_id: string; usual_ms: number }[]>(
    `SELECT plan_id, percentile_cont(0.5) WITHIN GROUP (ORDER BY taken_ms) AS usual_ms
     FROM unnest($1::uuid[]) AS plan (plan_id), LATERAL (
       SELECT extract(epoch FROM finished_at - started_at)::float8 * 1000 AS taken_ms FROM backup_jobs job
       WHERE job.plan_id = plan.plan_id AND job.status = 'SUCCEEDED' ORDER BY job.started_at DESC LIMIT 10
     ) AS success GROUP BY plan_id`,
    [planIds],
  );
  return new Map(rows.map((row) => [row.plan_id, row.usual_ms]));
}

type SortKey = Omit<PageSelection<BackupJobRow, BackupJobType>['by'], 'direction'>;

/** These expressions must be the same as in the indexes. */
const sortKeys: Readonly<Record<BackupJobSort, SortKey>> = {
  QUEUED_AT: { expression: 'row.queued_at', type: 'timestamptz', textOf: (row) => row.queuedAt.toISOString() },
  STARTED_AT: {
    expression: 'row.started_at',
    type: 'timestamptz',
    textOf: (row) => row.startedAt?.toISOString(),
    nullable: true,
  },
  EXECUTION_TIME: {
    expression: '(extract(epoch FROM row.finished_at - row.started_at) * 1000)::bigint',
    type: 'bigint',
    textOf: ({ startedAt, finishedAt }) =>
      startedAt === null || finishedAt === null ? undefined : String(finishedAt.getTime() - startedAt.getTime()),
    nullable: true,
  },
  STORED_SIZE: {
    expression: 'row.stored_size_bytes',
    type: 'bigint',
    textOf: (row) => row.storedSizeBytes?.toString(),
    nullable: true,
  },
};
