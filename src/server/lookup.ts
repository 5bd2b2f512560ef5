import type { EntityManager, EntitySchema, ObjectLiteral } from 'typeorm';
import { isUuid } from './inputValidation.js';
import type { RequestContext } from './requestContext.js';
import { authorizeRole, type OperationCall } from './requires.js';
import { roleAt, type StoredScope } from './scope.js';
import type { Condition } from './tableReader.js';
import type { Role } from './viewer.js';
import { visibleRows } from './visibleRows.js';

type ProjectRow = ObjectLiteral & { readonly id: string; readonly projectId: string };

/**
 * Describes how one object is found by its id on behalf of a caller. PostgreSQL returns the row only if the caller may see it. So an
 * answer for an object that is not visible does the same work, and takes the same time, as one for an id that does not exist.
 */
export type Lookup<Row extends ProjectRow> = {
  /** The name of the object in messages, for example `backup plan`. */
  readonly noun: string;
  readonly table: EntitySchema<Row>;
  /** Limits the rows to those that the caller may see. Undefined: there is no limit. */
  readonly visible: (context: RequestContext) => Condition | undefined | Promise<Condition | undefined>;
  /** The role of the caller for the object. */
  readonly roleOf: (row: Row, context: RequestContext) => Role | undefined | Promise<Role | undefined>;
};

/** The lookup of objects whose rights come from their scope alone. */
export function lookupByScope<Row extends ProjectRow>(
  noun: string,
  table: EntitySchema<Row>,
  scopeOf: StoredScope<Row>,
): Lookup<Row> {
  return {
    noun,
    table,
    visible: ({ viewer }) => visibleRows(viewer, null, scopeOf.serviceColumn),
    roleOf: (row, { viewer }) => roleAt(viewer, scopeOf(row)),
  };
}

/** Null for an id that does not exist or is not visible, and for text that is not an id. */
export async function visibleRow<Row extends ProjectRow>(
  context: RequestContext,
  manager: EntityManager,
  lookup: Lookup<Row>,
  id: string,
): Promise<Row | null> {
  const rows = await visibleRowsById(context, manager, lookup, [id]);
  return rows[0] ?? null;
}

/** The batch of a loader: in the order of the ids, null for an id that does not exist or is not visible. */
export async function visibleRowsById<Row extends ProjectRow>(
  context: RequestContext,
  manager: EntityManager,
  lookup: Lookup<Row>,
  ids: readonly string[],
): Promise<readonly (Row | null)[]> {
  const uuids = ids.filter(isUuid);
  if (uuids.length === 0) return ids.map(() => null);
  const rows = await visibleRowsWhere(context, manager, lookup, ['row.id = ANY(:ids)', { ids: uuids }]);
  const byId = new Map(rows.map((row) => [row.id, row]));
  return ids.map((id) => byId.get(id.toLowerCase()) ?? null);
}

/** The rows for which the condition is true, and that the caller may see. */
export async function visibleRowsWhere<Row extends ProjectRow>(
  context: RequestContext,
  manager: EntityManager,
  { table, visible }: Lookup<Row>,
  where: Condition,
): Promise<readonly Row[]> {
  const query = manager.createQueryBuilder(table, 'row').where(where[0], where[1]);
  const condition = await visible(context);
  if (condition !== undefined) query.andWhere(`(${condition[0]})`, condition[1]);
  return query.getMany();
}

/**
 * The row, if the caller has at least the role that the operation declares. Throws NOT_FOUND if the row does not exist or is not
 * visible (with the same message, after the same statements), FORBIDDEN if the role is too low.
 */
export async function authorizedRow<Row extends ProjectRow>(
  call: OperationCall,
  manager: EntityManager,
  lookup: Lookup<Row>,
  id: string,
): Promise<Row> {
  const row = await visibleRow(call.context, manager, lookup, id);
  if (row !== null) {
    authorizeRole(call, await lookup.roleOf(row, call.context), lookup.noun, row);
    return row;
  }
  authorizeRole(call, undefined, lookup.noun, await placeOf(manager, lookup.table, id));
  throw new Error('A missing role was not refused.');
}

/** The project of an object that the caller may not see, for the audit. Undefined: there is no such object. */
async function placeOf<Row extends ProjectRow>(manager: EntityManager, table: EntitySchema<Row>, id: string) {
  if (!isUuid(id)) return undefined;
  return manager
    .createQueryBuilder(table, 'row')
    .select('row.project_id', 'projectId')
    .where('row.id = :id', { id })
    .getRawOne<{ readonly projectId: string }>();
}
