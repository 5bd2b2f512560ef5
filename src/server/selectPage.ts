import type { EntityManager, EntitySchema, ObjectLiteral } from 'typeorm';
import { tableReader, type Condition } from './tableReader.js';
import { checkCursor, pageOf, type KeyType, type Page, type PageRequest } from './page.js';

export type PageSelection<Row extends ObjectLiteral, NodeType> = {
  readonly table: EntitySchema<Row>;
  /** SQL conditions on `row`, all of which must hold, with their named parameters. Undefined ones are left out. */
  readonly where: readonly (Condition | undefined)[];
  /** The property that the list is sorted by, its SQL expression on `row`, its SQL type, and its exact text. */
  readonly by: {
    readonly expression: string;
    readonly type: KeyType;
    readonly direction: 'ASC' | 'DESC';
    /** Undefined: the row has no such property, so that the expression is null. `nullable` says that there are such. */
    readonly textOf: (row: Row) => string | undefined;
    /** Rows without the property come after all others, whatever the direction. */
    readonly nullable?: boolean;
  };
  readonly nodeOf: (row: Row) => NodeType;
  /** What `nodeOf` and `textOf` need; undefined: every column. Others are missing from the rows. */
  readonly columns?: ReadonlySet<keyof Row> | undefined;
};

/**
 * Reads one page of a read model by keyset, so that inserts never shift what a cursor points to. Throws BAD_INPUT for a
 * cursor that was made up.
 */
export async function selectPage<Row extends ObjectLiteral & { readonly id: string }, NodeType>(
  manager: EntityManager,
  request: PageRequest,
  { table, where, by, nodeOf, columns }: PageSelection<Row, NodeType>,
): Promise<Page<NodeType>> {
  const { after, size } = request;
  const behind = by.nullable === true && after?.key === withoutKey ? after : undefined;
  checkCursor(request, behind === undefined ? by.type : 'text');
  const comparison = by.direction === 'ASC' ? '>' : '<';
  const source = tableReader(manager, table);

  const withKey = () =>
    source.read(
      [
        ...where,
        by.nullable === true ? [`${by.expression} IS NOT NULL`] : undefined,
        after === undefined
          ? undefined
          : [
              `(${by.expression}, row.id) ${comparison} (:afterKey::${by.type}, :afterId::uuid)`,
              { afterKey: after.key, afterId: after.id },
            ],
      ],
      `ORDER BY ${by.expression} ${by.direction}, row.id ${by.direction} LIMIT ${size + 1}`,
      columns,
    );
  const withoutIt = (limit: number) =>
    source.read(
      [
        ...where,
        [`${by.expression} IS NULL`],
        behind === undefined ? undefined : [`row.id ${comparison} :afterId::uuid`, { afterId: behind.id }],
      ],
      `ORDER BY row.id ${by.direction} LIMIT ${limit}`,
      columns,
    );

  const rows = behind === undefined ? await withKey() : [];
  if (by.nullable === true && rows.length <= size) rows.push(...(await withoutIt(size + 1 - rows.length)));
  return pageOf(request, rows, {
    placeOf: (row) => ({ key: by.textOf(row) ?? withoutKey, id: row.id }),
    nodeOf,
    countAll: () => source.count(where),
  });
}

/** The key in cursors of rows that have none: no number and no time. */
const withoutKey = '';

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
