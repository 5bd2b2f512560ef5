import type { BatchLoadFn } from 'dataloader';
import type { DataSource, ObjectLiteral } from 'typeorm';
import type { Loaders } from './loaders.js';
import { visibleRowsById, type Lookup } from './lookup.js';
import type { Node } from './node.js';
import type { NodeSource } from './nodeApi.js';
import type { RequestContext } from './requestContext.js';
import { canSee } from './requires.js';
import type { ScopeOf } from './scope.js';

/** The nodes of one read model. All ids of a request are read at once. */
export function nodesOf<Row extends ObjectLiteral & { readonly id: string; readonly projectId: string }>(
  { dataSource }: { readonly dataSource: DataSource },
  lookup: Lookup<Row>,
  nodeOf: (row: Row) => Node,
): NodeSource {
  const batches = new WeakMap<Loaders, BatchLoadFn<string, Row | null>>();
  const batchOf = (context: RequestContext) => {
    const known = batches.get(context.loaders);
    if (known !== undefined) return known;
    const made = (ids: readonly string[]) => visibleRowsById(context, dataSource.manager, lookup, ids);
    batches.set(context.loaders, made);
    return made;
  };
  return {
    async find(id, context) {
      const row = await context.loaders.of(batchOf(context)).load(id);
      return row && nodeOf(row);
    },
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
