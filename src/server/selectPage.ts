import type { EntityManager, EntitySchema, ObjectLiteral } from 'typeorm';
import { checkCursor, pageOf, type KeyType, type Page, type PageRequest } from './page.js';

export type PageSelection<Row extends ObjectLiteral, NodeType> = {
  readonly table: EntitySchema<Row>;
  /** SQL conditions on `row`, all of which must hold, with their named parameters. Undefined ones are left out. */
  readonly where: readonly (readonly [condition: string, parameters?: ObjectLiteral] | undefined)[];
  /** The property that the list is sorted by, its SQL expression on `row`, its SQL type, and its exact text. */
  readonly by: {
    readonly expression: string;
    readonly type: KeyType;
    readonly direction: 'ASC' | 'DESC';
    readonly textOf: (row: Row) => string;
  };
  readonly nodeOf: (row: Row) => NodeType;
};

/**
 * Reads one page of a read model by keyset, so that inserts never shift what a cursor points to. Throws BAD_INPUT for a
 * cursor that was made up.
 */
export async function selectPage<Row extends ObjectLiteral & { readonly id: string }, NodeType>(
  manager: EntityManager,
  request: PageRequest,
  { table, where, by, nodeOf }: PageSelection<Row, NodeType>,
): Promise<Page<NodeType>> {
  const matching = () => {
    const query = manager.createQueryBuilder(table, 'row').where('true');
    for (const condition of where) if (condition !== undefined) query.andWhere(condition[0], condition[1]);
    return query;
  };
  checkCursor(request, by.type);
  const query = matching();
  if (request.after !== undefined) {
    const comparison = by.direction === 'ASC' ? '>' : '<';
    query.andWhere(`(${by.expression}, row.id) ${comparison} (:afterKey::${by.type}, :afterId::uuid)`, {
      afterKey: request.after.key,
      afterId: request.after.id,
    });
  }
  const rows = await query
    .orderBy(by.expression, by.direction)
    .addOrderBy('row.id', by.direction)
    .limit(request.size + 1)
    .getMany();
  return pageOf(request, rows, {
    placeOf: (row) => ({ key: by.textOf(row), id: row.id }),
    nodeOf,
    countAll: () => matching().getCount(),
  });
}

/** Narrows a list to what the viewer may see, and to one project where that was asked for. */
export function visibleProjects(
  visible: 'ALL' | readonly string[],
  projectId: string | null | undefined,
): readonly [string, ObjectLiteral] | undefined {
  if (projectId !== undefined && projectId !== null) {
    const allowed = visible === 'ALL' || visible.includes(projectId);
    return ['row.project_id = :projectId', { projectId: allowed ? projectId : nowhere }];
  }
  return visible === 'ALL' ? undefined : ['row.project_id = ANY(:projectIds)', { projectIds: visible }];
}

const nowhere = '00000000-0000-0000-0000-000000000000';
