import type { EntityManager, EntityMetadata, EntitySchema, ObjectLiteral } from 'typeorm';

/** SQL on `row`, with its named parameters. */
export type Condition = readonly [condition: string, parameters?: ObjectLiteral];

/** Reads the rows of a read model for which all conditions are true. Undefined conditions are ignored. */
export type TableReader<Row> = {
  /** `rest` is SQL for the order and the limit. With `only` the rows have only these columns. */
  read(where: readonly (Condition | undefined)[], rest: string, only?: ReadonlySet<keyof Row>): Promise<Row[]>;
  count(where: readonly (Condition | undefined)[]): Promise<number>;
  /**
   * Selects `expressions`, SQL on `row`, of the rows for which all conditions are true. `rest` is SQL for groups, order
   * and limit.
   */
  select<Answer>(
    expressions: string,
    where: readonly (Condition | undefined)[],
    rest?: Condition,
  ): Promise<readonly Answer[]>;
};

/**
 * Writes the statements of lists as plain SQL. TypeORM's query builder and its creation of entities take longer than
 * PostgreSQL takes for a page. The rows equal the entities, without the columns that are not selected by default.
 */
export function tableReader<Row extends ObjectLiteral>(
  manager: EntityManager,
  table: EntitySchema<Row>,
): TableReader<Row> {
  const { driver } = manager.dataSource;
  const metadata = manager.dataSource.getMetadata(table);
  const send = <Answer>(
    select: string,
    where: readonly (Condition | undefined)[],
    [rest, parametersOfRest]: Condition = [''],
  ) => {
    const conditions = where.filter((condition) => condition !== undefined);
    const [sql, parameters] = driver.escapeQueryWithParameters(
      `SELECT ${select} FROM ${metadata.tableName} row
       WHERE ${['true', ...conditions.map(([condition]) => `(${condition})`)].join(' AND ')} ${rest}`,
      Object.assign({}, ...conditions.map(([, named]) => named), parametersOfRest) as ObjectLiteral,
    );
    return manager.query<Answer>(sql, parameters);
  };

  return {
    async read(where, rest, only) {
      const columns = readable(metadata, only);
      const names = columns.map(({ databaseName, propertyName }) => `row.${databaseName} AS "${propertyName}"`);
      const rows = await send<Record<string, unknown>[]>(names.join(', '), where, [rest]);
      for (const column of columns) {
        if (column.transformer === undefined) continue;
        const name = column.propertyName;
        for (const row of rows) row[name] = driver.prepareHydratedValue(row[name], column);
      }
      return rows as Row[];
    },

    async count(where) {
      const [{ count }] = await send<[{ count: string }]>('count(*) AS count', where);
      return Number(count);
    },

    select: send,
  };
}

function readable({ columns }: EntityMetadata, only: ReadonlySet<PropertyKey> | undefined): EntityMetadata['columns'] {
  return columns.filter(({ isSelect, propertyName }) => isSelect && (only === undefined || only.has(propertyName)));
}
