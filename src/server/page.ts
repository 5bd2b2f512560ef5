import { ArgsType, Field, Int } from 'type-graphql';
import { badInput, type FieldProblem } from '../errors.js';

export const defaultPageSize = 50;
export const largestPageSize = 200;

/** `first` and `after` of every list: `@Args(() => PageArguments) page: PageArguments`. */
@ArgsType()
export class PageArguments {
  @Field(() => Int, { defaultValue: defaultPageSize, description: 'At most 200.' })
  readonly first!: number;

  @Field(() => String, { nullable: true, description: 'The cursor after which the page begins.' })
  readonly after?: string | null;
}

/** One page of a list. Resolvers of connections return it. */
export type Page<NodeType> = {
  readonly edges: readonly { readonly cursor: string; readonly node: NodeType }[];
  readonly pageInfo: {
    readonly hasNextPage: boolean;
    readonly hasPreviousPage: boolean;
    readonly startCursor: string | null;
    readonly endCursor: string | null;
  };
  readonly countAll: () => Promise<number>;
};

/** The place of a row in its list: its sort key as exact text of PostgreSQL (`column::text`), and its id. */
export type Place = { readonly key: string; readonly id: string };

/** `order` is the name of the order of the list. It is part of the cursor, so that a cursor of another order is refused. */
export type PageRequest = { readonly size: number; readonly order: string; readonly after: Place | undefined };

/**
 * Checks the arguments of the client. Throws BAD_INPUT if `first` is below 1 or over 200, and if the cursor does not
 * belong to this order. Both problems are reported at once.
 */
export function pageRequest(page: PageArguments, order: string): PageRequest {
  const after = page.after === undefined || page.after === null ? undefined : decodeCursor(page.after, order);
  const problems: FieldProblem[] = [];
  if (!Number.isInteger(page.first) || page.first < 1 || page.first > largestPageSize) {
    const hint = `Write a number from 1 to ${largestPageSize}.`;
    problems.push({ path: 'first', problem: `is not from 1 to ${largestPageSize}`, hint });
  }
  if (after === 'NOT_A_CURSOR') {
    problems.push(notACursor);
  }
  if (problems.length > 0 || after === 'NOT_A_CURSOR') throw badInput(problems);
  return { size: page.first, order, after };
}

/** The SQL types of sort keys, with the form of their values. A forged cursor never reaches the database. */
const keyPatterns = {
  timestamptz:
    /^(?:-?infinity|(?<date>\d{4}-\d\d-\d\d)[ T](?<time>\d\d:\d\d:\d\d)(?:\.\d{1,6})?(?:Z|[+-](?:0\d|1[0-5])(?::?[0-5]\d){0,2}))$/,
  bigint: /^-?\d{1,18}$/,
  integer: /^-?\d{1,9}$/,
  text: /^[^\0]*$/,
  uuid: /^[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}$/i,
} as const;
export type KeyType = keyof typeof keyPatterns;

/** Throws BAD_INPUT if the key or the id of the cursor has the wrong type. */
export function checkCursor({ after }: PageRequest, keyType: KeyType, idType: KeyType = 'uuid'): void {
  if (after === undefined || (isOfType(after.key, keyType) && isOfType(after.id, idType))) return;
  throw badInput([notACursor]);
}

function isOfType(key: string, type: KeyType): boolean {
  const match = keyPatterns[type].exec(key);
  const { date, time } = match?.groups ?? {};
  if (date === undefined || time === undefined) return match !== null;
  // PostgreSQL refuses the 31st of February. JavaScript reads it as the 3rd of March.
  const instant = new Date(`${date}T${time}Z`);
  return (
    !Number.isNaN(instant.getTime()) && instant.toISOString().startsWith(`${date}T${time}`) && !date.startsWith('0000')
  );
}

/**
 * Makes a page from at most `size + 1` rows that were read after the cursor, in the order of the list. `countAll` is called
 * only if the client asks for totalCount.
 */
export function pageOf<Row, NodeType>(
  request: PageRequest,
  rows: readonly Row[],
  list: {
    readonly placeOf: (row: Row) => Place;
    readonly nodeOf: (row: Row) => NodeType;
    readonly countAll: () => Promise<number>;
  },
): Page<NodeType> {
  // Cursors are computed lazily: a client that reads nodes needs at most two of them.
  const edges = rows.slice(0, request.size).map((row) => ({
    node: list.nodeOf(row),
    get cursor() {
      return encodeCursor(list.placeOf(row), request.order);
    },
  }));
  return {
    edges,
    pageInfo: {
      hasNextPage: rows.length > request.size,
      hasPreviousPage: request.after !== undefined,
      get startCursor() {
        return edges.at(0)?.cursor ?? null;
      },
      get endCursor() {
        return edges.at(-1)?.cursor ?? null;
      },
    },
    countAll: list.countAll,
  };
}

const notACursor: FieldProblem = {
  path: 'after',
  problem: 'is not a cursor of this list',
  hint: 'Send endCursor or the cursor of an edge of the same list in the same order.',
};

function encodeCursor(place: Place, order: string): string {
  return Buffer.from(JSON.stringify([order, place.key, place.id])).toString('base64url');
}

function decodeCursor(cursor: string, order: string): Place | 'NOT_A_CURSOR' {
  const parsed = parseJson(Buffer.from(cursor.slice(0, 4096), 'base64url').toString());
  if (!Array.isArray(parsed)) return 'NOT_A_CURSOR';
  const [ofOrder, key, id] = parsed as unknown[];
  if (ofOrder !== order || typeof key !== 'string' || typeof id !== 'string') return 'NOT_A_CURSOR';
  return { key, id };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
