import type { DataSource, EntitySchema } from 'typeorm';
import type { Node } from './node.js';
import type { NodeSource } from './nodeApi.js';
import type { RequestContext } from './requestContext.js';
import { canSee } from './requires.js';
import { rowsById } from './rowsById.js';
import type { ScopeOf } from './scope.js';

/** The nodes of one read model. All ids of a request are read at once. */
export function nodesOf<Row extends { readonly id: string }>(
  { dataSource }: { readonly dataSource: DataSource },
  table: EntitySchema<Row>,
  scopeOf: ScopeOf<Row>,
  nodeOf: (row: Row) => Node,
): NodeSource {
  const batch = (ids: readonly string[]) => rowsById(dataSource.manager, table, ids);
  return {
    find: async (id, context) => ifVisible(context, await context.loaders.of(batch).load(id), scopeOf, nodeOf),
  };
}

/** The node of a row; null if there is none, or if the viewer may not see it. */
export function ifVisible<Row, NodeType>(
  context: RequestContext,
  row: Row | null,
  scopeOf: ScopeOf<Row>,
  nodeOf: (row: Row) => NodeType,
): NodeType | null {
  return row !== null && canSee(context, row, scopeOf) ? nodeOf(row) : null;
}
