import type {
  GraphQLField,
  GraphQLFieldResolver,
  GraphQLNamedType,
  GraphQLObjectType,
  GraphQLResolveInfo,
  GraphQLSchema,
} from 'graphql';
import { defaultFieldResolver, getNamedType, isCompositeType, isObjectType } from 'graphql';
import type { Page } from '../page.js';
import type { RequestContext } from '../requestContext.js';
import type { AnswerBudget } from './answerBudget.js';
import { fieldWeights, plainField, type FieldWeight } from './fieldWeights.js';
import { jsonBytes } from './sizes.js';

type Resolve = GraphQLFieldResolver<unknown, Partial<RequestContext> | undefined>;
type Metered = {
  readonly name: string;
  readonly weight: FieldWeight;
  readonly isComposite: boolean;
  /** Whether it reads a page of a list. */
  readonly isPage: boolean;
};

/** The types of introspection belong to graphql-js, and all schemas of a process share them. */
const metered = new WeakSet();

/** Lists of more objects than this are answered in slices. */
const longList = 16;
/** From this weight on a field waits for a slice before it begins. Every field that answers objects waits too. */
const heavyWork = 100;
/** Bytes of an error besides its message and its path, and the work that it costs. */
const errorBytes = 300;
const errorWork = 100;

/**
 * Makes every field of the schema pay for its work and for the bytes of its value, from the budget of the answer in the
 * context. A field that is reached after the budget was exceeded never resolves. A request without a budget is not counted.
 */
export function meterFields(schema: GraphQLSchema): void {
  for (const type of Object.values(schema.getTypeMap())) {
    if (isObjectType(type)) for (const field of Object.values(type.getFields())) meter(type, field);
  }
}

function meter(type: GraphQLObjectType, field: GraphQLField<unknown, unknown>): void {
  if (metered.has(field)) return;
  metered.add(field);
  const name = `${type.name}.${field.name}`;
  const weight = fieldWeights.get(name) ?? plainField;
  const named = getNamedType(field.type) as GraphQLNamedType;
  const isComposite = isCompositeType(named);
  const isPage = named.name.endsWith('Connection');
  const resolve = (field.resolve ?? defaultFieldResolver) as Resolve;
  field.resolve = payingResolver({ name, weight, isComposite, isPage }, resolve) as GraphQLFieldResolver<
    unknown,
    unknown
  >;
}

function payingResolver(field: Metered, resolve: Resolve): Resolve {
  const { name, weight, isComposite, isPage } = field;
  const waits = isComposite || weight.work >= heavyWork;

  function run(budget: AnswerBudget, ...call: Parameters<Resolve>): unknown {
    const info = call[3];
    try {
      budget.pay('work', weight.work, name);
      budget.pay('answerBytes', keyBytes(info) + weight.bytes, name);
      const value = isPage ? readPage(resolve, call, budget, name) : resolve(...call);
      if (!isPromise(value)) return counted(value, field, budget);
      return value.then(
        (settled) => counted(settled, field, budget),
        (error: unknown) => failed(error, field, budget, info),
      );
    } catch (error) {
      return failed(error, field, budget, info);
    }
  }

  return (root, args, context, info) => {
    const budget = context?.budget;
    if (budget === undefined) return resolve(root, args, context, info);
    if (budget.isExceeded) return budget.never;
    const pause = waits ? budget.pause() : undefined;
    return pause === undefined
      ? run(budget, root, args, context, info)
      : pause.then(() => run(budget, root, args, context, info));
  };
}

function counted(value: unknown, field: Metered, budget: AnswerBudget): unknown {
  if (budget.isExceeded) return budget.never;
  const { name, weight, isComposite } = field;
  if (isComposite) {
    if (!Array.isArray(value)) {
      budget.pay('answerBytes', 3, name);
      payForRow(value, name, budget);
      return value;
    }
    budget.pay('answerBytes', 3 * value.length, name);
    for (const item of value) payForRow(item, name, budget);
    return value.length > longList ? inSlices(value, budget) : value;
  }
  const bytes = budget.bytesOf(value);
  budget.pay('answerBytes', Math.max(0, bytes - weight.bytes), name);
  // Serialising and writing an item costs about as much as a plain field.
  if (Array.isArray(value)) budget.pay('work', value.length, name);
  return value;
}

function readPage(resolve: Resolve, call: Parameters<Resolve>, budget: AnswerBudget, name: string): Promise<unknown> {
  return budget.readPage(async () => {
    const page = (await resolve(...call)) as Partial<Page<unknown>> | null;
    for (const { node } of page?.edges ?? []) payForRow(node, name, budget);
    return page;
  });
}

/** A thing of the API holds the row from which its fields are read. */
function payForRow(value: unknown, name: string, budget: AnswerBudget): void {
  if (typeof value !== 'object' || value === null || !('row' in value)) return;
  const { row } = value;
  if (typeof row === 'object' && row !== null) budget.payRead(row, (most) => jsonBytes(row, most), name);
}

/** Promises of the items. graphql-js completes each item when its promise resolves, so they resolve one after the other. */
function inSlices(items: readonly unknown[], budget: AnswerBudget): readonly Promise<unknown>[] {
  const handOver: (() => void)[] = [];
  const promises = items.map((item) => new Promise((resolve) => handOver.push(() => resolve(item))));
  void (async () => {
    for (const next of handOver) {
      const pause = budget.pause();
      if (pause !== undefined) await pause;
      next();
      // The item is completed before the next one.
      await Promise.resolve();
    }
  })();
  return promises;
}

/** An error is part of the answer too, with its path. After too many errors the last one ends the answer. */
function failed(error: unknown, { name }: Metered, budget: AnswerBudget, info: GraphQLResolveInfo): unknown {
  if (budget.isExceeded) return budget.never;
  let bytes = errorBytes + (error instanceof Error ? error.message.length : 0);
  for (let place: GraphQLResolveInfo['path'] | undefined = info.path; place !== undefined; place = place.prev) {
    bytes += typeof place.key === 'string' ? place.key.length + 3 : 5;
  }
  budget.pay('work', errorWork, name);
  budget.pay('answerBytes', bytes, name);
  if (budget.left('errors') <= 0 && error instanceof Error) throw budget.end(error);
  budget.pay('errors', 1, name);
  throw error;
}

function keyBytes({ path }: GraphQLResolveInfo): number {
  return typeof path.key === 'string' ? path.key.length + 4 : 1;
}

function isPromise(value: unknown): value is Promise<unknown> {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function';
}
