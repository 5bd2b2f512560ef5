import { In, type EntityManager, type EntitySchema, type FindOptionsWhere } from 'typeorm';
import { isUuid } from './inputValidation.js';

type RowWithId = { readonly id: string };

/** Null for an id that does not exist, and for text that is not an id. */
export async function rowById<Row extends RowWithId>(
  manager: EntityManager,
  table: EntitySchema<Row>,
  id: string,
): Promise<Row | null> {
  return isUuid(id) ? await manager.findOneBy(table, { id } as FindOptionsWhere<Row>) : null;
}

/** The batch of a loader: in the order of the ids, null for an id that does not exist. */
export async function rowsById<Row extends RowWithId>(
  manager: EntityManager,
  table: EntitySchema<Row>,
  ids: readonly string[],
): Promise<readonly (Row | null)[]> {
  const rows = await manager.findBy(table, { id: In(ids.filter(isUuid)) } as FindOptionsWhere<Row>);
  const byId = new Map(rows.map((row) => [row.id, row]));
  return ids.map((id) => byId.get(id.toLowerCase()) ?? null);
}
