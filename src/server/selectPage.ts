import type { EntityManager, EntitySchema, ObjectLiteral } from 'typeorm';
import { tableReader, type Condition } from './tableReader.js';
import { checkCursor, pageOf, type KeyType, type Page, type PageRequest } from './page.js';

export type PageSelection<Row extends ObjectLiteral, NodeType> = {
  readonly table: EntitySchema<Row>;
  /** SQL conditions on `row` with their named parameters. All must be true. Undefined conditions are ignored. */
  readonly where: readonly (Condition | undefined)[];
  /** The sort key: an SQL expression on `row`, its SQL type, and its exact text. */
  readonly by: {
    readonly expression: string;
    readonly type: KeyType;
    readonly direction: 'ASC' | 'DESC';
    /** Undefined if the expression is null for this row. Set `nullable` if there are such rows. */
    readonly textOf: (row: Row) => string | undefined;
    /** Rows without a key come after all others, in both directions. */
    readonly nullable?: boolean;
  };
  readonly nodeOf: (row: Row) => NodeType;
  /** The columns that `nodeOf` and `textOf` need; undefined: every column. The rows have no other columns. */
  readonly columns?: ReadonlySet<keyof Row> | undefined;
};

/**
 * Reads one page of a read model by keyset, so that inserts never move the place of a cursor. Throws BAD_INPUT for a forged
 * cursor.
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

/** The key in cursors of rows without a key. It is neither a number nor a time. */
const withoutKey = '';
