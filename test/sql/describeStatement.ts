import type { Client, Connection, FieldDef } from 'pg';
import type { ColumnKind } from './statements.js';

/**
 * The JavaScript types to which `pg` converts a column, by the type of PostgreSQL (`SELECT oid, typname FROM pg_type`).
 * All other types become texts.
 */
const kinds: Readonly<Record<number, readonly ColumnKind[]>> = {
  16: ['boolean'],
  17: ['Buffer'],
  ...{ 21: ['number'], 23: ['number'], 26: ['number'], 700: ['number'], 701: ['number'] },
  // A column of type json or jsonb may hold any value.
  ...{ 114: ['json', 'array', 'string', 'number'], 3802: ['json', 'array', 'string', 'number'] },
  ...{ 1082: ['Date'], 1114: ['Date'], 1184: ['Date'] },
  ...{ 1009: ['array'], 1007: ['array'], 1016: ['array'], 2951: ['array'], 1005: ['array'] },
};

/**
 * The columns of the statement's result, by name. PostgreSQL parses and describes the statement, and never executes it.
 */
export function describeStatement(client: Client, text: string): Promise<ReadonlyMap<string, readonly ColumnKind[]>> {
  return new Promise((resolve, reject) => {
    let columns = new Map<string, readonly ColumnKind[]>();
    const description = {
      submit(connection: Connection) {
        connection.parse({ text, name: '', types: [] }, true);
        connection.describe({ type: 'S', name: '' }, true);
        connection.sync();
      },
      handleRowDescription({ fields }: { readonly fields: readonly FieldDef[] }) {
        columns = new Map(fields.map(({ name, dataTypeID }) => [name, kinds[dataTypeID] ?? ['string']]));
      },
      handleError: reject,
      handleReadyForQuery: () => resolve(columns),
    };
    client.query(description as never);
  });
}
