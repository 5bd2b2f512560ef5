import { describe, expect, test } from '@jest/globals';
import { graphql, type GraphQLResolveInfo } from 'graphql';
import {
  Arg,
  Args,
  Ctx,
  Field,
  FieldResolver,
  ID,
  Info,
  InputType,
  Int,
  Mutation,
  ObjectType,
  Query,
  Resolver,
  Root,
  Subscription,
} from 'type-graphql';
import { memberOf } from '../../test/fixtures/api/sliceApi.js';
import { buildApiSchema, emitSchema } from './apiSchema.js';
import { AnswerBudget } from './budget/answerBudget.js';
import { connection } from './connection.js';
import { Loaders } from './loaders.js';
import { boundedMailbox } from './mailbox.js';
import { Node } from './node.js';
import { OneOf } from './oneOf.js';
import { PageArguments, pageOf, pageRequest, type Page } from './page.js';
import type { RequestContext } from './requestContext.js';
import { authorizeRole, canSee, Requires } from './requires.js';
import { BigIntScalar } from './scalars/bigInt.js';
import { DateTime } from './scalars/dateTime.js';
import { Duration } from './scalars/duration.js';
import { roleAt } from './scope.js';
import { installationViewer, type Viewer } from './viewer.js';

// The file of one slice.
@ObjectType('Shelf', { implements: Node })
class ShelfType extends Node {
  readonly projectId!: string;

  @Field(() => String)
  readonly name!: string;

  @Field(() => DateTime)
  readonly builtAt!: Date;

  @Field(() => Duration, { nullable: true })
  readonly dustedEvery!: number | null;

  @Field(() => BigIntScalar)
  readonly size!: number;

  static of(id: string, projectId: string): ShelfType {
    const values = { id, projectId, name: `Shelf ${id}`, builtAt: new Date(0), dustedEvery: 60_000, size: 2 ** 53 - 1 };
    return Object.assign(new ShelfType(), values);
  }
}

const ShelfConnection = connection('Shelf', () => ShelfType);

@InputType()
class ByNumberInput {
  @Field(() => Int)
  readonly number!: number;

  @Field(() => Duration, { defaultValue: 600_000 })
  readonly within!: number;
}

@InputType()
@OneOf()
class FindShelfInput {
  @Field(() => ID, { nullable: true })
  readonly id?: string;

  @Field(() => ByNumberInput, { nullable: true })
  readonly byNumber?: ByNumberInput;
}

const scopeOfShelf = ({ projectId }: ShelfType) => ({ projectId, serviceId: null });
const shelves = ['1', '2', '3', '4', '5'].map((id) => ShelfType.of(id, 'p1'));
let counted = 0;

@Resolver()
class ShelfResolver {
  @Query(() => ShelfType, { nullable: true })
  @Requires('VIEWER')
  shelf(@Arg('input', () => FindShelfInput) input: FindShelfInput, @Ctx() context: RequestContext) {
    const found = shelves.find((shelf) => shelf.id === (input.id ?? String(input.byNumber?.number)));
    return found !== undefined && canSee(context, found, scopeOfShelf) ? found : null;
  }

  @Query(() => ShelfConnection)
  @Requires('VIEWER')
  shelves(@Args(() => PageArguments) page: PageArguments): Page<ShelfType> {
    const request = pageRequest(page, 'id');
    const from = request.after === undefined ? 0 : Number(request.after.key);
    return pageOf(request, shelves.slice(from, from + request.size + 1), {
      placeOf: (shelf) => ({ key: shelf.id, id: shelf.id }),
      nodeOf: (shelf) => shelf,
      countAll: () => {
        counted += 1;
        return Promise.resolve(shelves.length);
      },
    });
  }

  @Query(() => Node, { nullable: true })
  @Requires('VIEWER')
  node(@Arg('id', () => ID) id: string) {
    return shelves.find((shelf) => shelf.id === id) ?? null;
  }

  @Mutation(() => ShelfType)
  @Requires('OPERATOR')
  dust(@Arg('id', () => ID) id: string, @Ctx() context: RequestContext, @Info() info: GraphQLResolveInfo) {
    const shelf = shelves.find((each) => each.id === id);
    const scope = shelf && scopeOfShelf(shelf);
    authorizeRole({ context, info }, scope && roleAt(context.viewer, scope), 'shelf', scope);
    return shelf;
  }

  @Mutation(() => Boolean)
  @Requires('INSTALLATION')
  tearDown() {
    return true;
  }

  @Subscription(() => ShelfType, { subscribe: () => boundedMailbox(1) })
  @Requires('VIEWER')
  shelfChanges(@Root() shelf: ShelfType) {
    return shelf;
  }
}

// The file of a later slice, which adds a field to the type of the first.
@ObjectType('Book')
class BookType {
  @Field(() => String)
  readonly title!: string;
}

@Resolver(() => ShelfType)
class ShelfBooksResolver {
  @FieldResolver(() => [BookType], { description: 'Declared by the slice of books.' })
  books(@Root() shelf: ShelfType, @Arg('atMost', () => Int, { defaultValue: 2 }) atMost: number) {
    return Array.from({ length: atMost }, (_, index) => ({ title: `${shelf.name}, book ${index + 1}` }));
  }
}

@Resolver()
class ForgetfulResolver {
  @Query(() => Boolean)
  unprotected() {
    return true;
  }
}

const instances = new Map<unknown, object>([
  [ShelfResolver, new ShelfResolver()],
  [ShelfBooksResolver, new ShelfBooksResolver()],
]);
const schema = buildApiSchema({
  resolvers: [ShelfResolver, ShelfBooksResolver],
  container: { get: (resolver: unknown) => instances.get(resolver) },
});

const memberOfP1 = (role: 'VIEWER' | 'OPERATOR'): Viewer => memberOf('p1', role);

// eslint-disable-next-line @typescript-eslint/no-explicit-any -- whatever the query asked for
type Answer = any;

async function run(source: string, viewer: Viewer = installationViewer, variableValues = {}) {
  const contextValue: RequestContext = {
    viewer,
    correlationId: 'c',
    clientAddress: undefined,
    loaders: new Loaders(),
    budget: new AnswerBudget(),
  };
  const result = await graphql({ schema, source, contextValue, variableValues });
  // The result as a client gets it: plain JSON.
  return JSON.parse(JSON.stringify(result)) as { data: Answer; errors: { message: string }[] };
}

describe('the schema of the API', () => {
  test('prints defaults, @oneOf and a field that a later slice declares', () => {
    const sdl = emitSchema(schema);
    expect(sdl).toContain('input FindShelfInput @oneOf {');
    expect(sdl).toContain('within: Duration! = "PT10M"');
    expect(sdl).toContain('shelves(');
    expect(sdl).toMatch(/first: Int! = 50/);
    expect(sdl).toContain('books(atMost: Int! = 2): [Book!]!');
    expect(sdl).toContain('type Shelf implements Node {');
    expect(sdl).toMatch(/type ShelfConnection \{\s+edges: \[ShelfEdge!\]!\s+nodes: \[Shelf!\]!\s+pageInfo: PageInfo!/);
  });

  test('cannot be built if an operation declares no requirement', () => {
    expect(() => buildApiSchema({ resolvers: [ForgetfulResolver], container: { get: () => null } })).toThrow(
      'Operations without @Requires(…): Query.unprotected.',
    );
  });

  test('returns scalars in their wire form and the field of the later slice', async () => {
    const { data } = await run(
      '{ node(id: "1") { __typename id ... on Shelf { builtAt dustedEvery size books(atMost: 1) { title } } } }',
    );
    expect(data.node).toEqual({
      __typename: 'Shelf',
      id: '1',
      builtAt: '1970-01-01T00:00:00.000Z',
      dustedEvery: 'PT1M',
      size: 9007199254740991,
      books: [{ title: 'Shelf 1, book 1' }],
    });
  });

  test('refuses an input of @oneOf with two fields and accepts one with a single field', async () => {
    const query = 'query ($input: FindShelfInput!) { shelf(input: $input) { id } }';
    const two = await run(query, installationViewer, { input: { id: '1', byNumber: { number: 2 } } });
    expect(two.errors[0]?.message).toContain('Exactly one key');
    expect(await run(query, installationViewer, { input: { byNumber: { number: 2 } } })).toEqual({
      data: { shelf: { id: '2' } },
    });
  });

  test('pages through a list by its cursors and counts only if the client asks for it', async () => {
    counted = 0;
    const first = await run('{ shelves(first: 2) { nodes { id } pageInfo { hasNextPage endCursor } } }');
    expect(first.data.shelves.nodes).toEqual([{ id: '1' }, { id: '2' }]);
    expect(first.data.shelves.pageInfo.hasNextPage).toBe(true);
    expect(counted).toBe(0);
    const rest = await run(
      `{ shelves(after: "${first.data.shelves.pageInfo.endCursor}") { edges { node { id } } totalCount pageInfo { hasNextPage hasPreviousPage } } }`,
    );
    expect(rest.data.shelves.edges).toEqual(['3', '4', '5'].map((id) => ({ node: { id } })));
    expect(rest.data.shelves.pageInfo).toEqual({ hasNextPage: false, hasPreviousPage: true });
    expect(rest.data.shelves.totalCount).toBe(5);
    expect(counted).toBe(1);
  });

  test.each([0, -1, 201])('refuses a page of %d', async (size) => {
    const { errors } = await run(`{ shelves(first: ${size}, after: "nonsense") { nodes { id } } }`);
    expect(errors[0]?.message).toBe('first: is not from 1 to 200 (and 1 more)');
  });

  test('lets an operator dust, and refuses a viewer because the role is too low', async () => {
    expect((await run('mutation { dust(id: "1") { id } }', memberOfP1('OPERATOR'))).errors).toBeUndefined();
    const { errors } = await run('mutation { dust(id: "1") { id } }', memberOfP1('VIEWER'));
    expect(errors[0]?.message).toBe('dust needs the role OPERATOR for this object; your role is VIEWER.');
  });

  test('gives the same answer for a missing thing and for an invisible one', async () => {
    const stranger = memberOf('p2', 'ADMIN');
    const hidden = await run('mutation { dust(id: "1") { id } }', stranger);
    const missing = await run('mutation { dust(id: "99") { id } }', stranger);
    expect(hidden.errors[0]?.message).toBe('There is no such shelf.');
    expect(missing.errors[0]?.message).toBe(hidden.errors[0]?.message);
    expect(await run('{ shelf(input: { id: "1" }) { id } }', stranger)).toEqual({ data: { shelf: null } });
  });

  test('refuses an operation of the installation without the installation-level token', async () => {
    expect((await run('mutation { tearDown }')).data).toEqual({ tearDown: true });
    const { errors } = await run('mutation { tearDown }', memberOfP1('OPERATOR'));
    expect(errors[0]?.message).toBe('tearDown needs the installation-level token.');
  });
});
