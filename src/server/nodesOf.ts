import type { DataSource, EntitySchema } from 'typeorm';
import type { Node } from './node.js';
import type { NodeSource } from './nodeApi.js';
import type { RequestContext } from './requestContext.js';
import { canSee } from './requires.js';
import { rowsById } from './rowsById.js';

type ProjectRow = { readonly id: string; readonly projectId: string };

/** The nodes of one read model. All ids of a request are read at once. */
export function nodesOf<Row extends ProjectRow>(
  { dataSource }: { readonly dataSource: DataSource },
  table: EntitySchema<Row>,
  nodeOf: (row: Row) => Node,
): NodeSource {
  const batch = (ids: readonly string[]) => rowsById(dataSource.manager, table, ids);
  return {
    find: async (id, context) => ifVisible(context, await context.loaders.of(batch).load(id), nodeOf),
  };
}

/** The node of a row; null if there is none, or if the viewer has no role in its project. */
export function ifVisible<Row extends ProjectRow, NodeType>(
  context: RequestContext,
  row: Row | null,
  nodeOf: (row: Row) => NodeType,
): NodeType | null {
  return row !== null && canSee(context, row.projectId) ? nodeOf(row) : null;
}
