import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Kind, parse, type GraphQLField } from 'graphql';
import type { Client } from 'graphql-ws';
import {
  badForEach,
  badQueries,
  badSubscriptions,
  mutationCases,
  type BadInput,
  type Known,
  type MutationCases,
} from '../fixtures/api/badInputs.js';
import { folderOfProject } from '../../src/storage/filesystem/filesystemPath.js';
import { operationDocument } from '../fixtures/api/operationDocument.js';
import { postgresMissing } from '../fixtures/servers/postgres.js';
import { describeWith } from '../fixtures/requirements.js';
import { errorsOver, startSettledApi, type SettledApi } from '../fixtures/api/settledApi.js';
import type { ApiErrorAnswer, WholeApi } from '../fixtures/api/wholeApi.js';

/** A part of every secret that the tests send. No answer and no log line may contain it. */
const ofSecrets = 'hunter2';

/** Paths refer to the arguments, and not to the names of a client's variables. */
const ofMine = (argument: string) => `${argument}OfMine`;

type Payload = { readonly query: string; readonly variables: Record<string, unknown> };
type Operation = GraphQLField<unknown, unknown>;
type Row = BadInput & { readonly operation: Operation; readonly cases: MutationCases };

describeWith({ postgresql: await postgresMissing() }, 'bad input', () => {
  let api: WholeApi;
  let known: Known;
  let settled: SettledApi;
  let socket: Client;

  beforeAll(async () => {
    settled = await startSettledApi();
    ({ api, known, socket } = settled);
    // The folder of the project contains a symbolic link to another folder, and a file.
    const own = join(api.filesystemRoot, folderOfProject(known.own.projectId));
    await mkdir(join(api.workRoot, 'elsewhere'));
    await symlink(join(api.workRoot, 'elsewhere'), join(own, 'link'));
    await writeFile(join(own, 'file'), '');
  });
  afterAll(() => settled.stop());

  const mutations = () => Object.values(api.schema.getMutationType()?.getFields() ?? {});

  const rowsOf = (operation: Operation): readonly Row[] => {
    const cases = mutationCases[operation.name];
    if (cases === undefined) return [];
    return [...badForEach(operation), ...cases.bad].map((row) => ({ ...row, operation, cases }));
  };

  const sent = (row: Row): Payload => {
    const good = row.cases.good(known);
    const input = row.input === undefined ? {} : { input: laidOver(good['input'], row.input(known)) };
    const variables = { ...good, ...input, ...row.variables?.(known) };
    return row.document === undefined
      ? {
          query: operationDocument('mutation', row.operation, undefined, ofMine),
          variables: Object.fromEntries(Object.entries(variables).map(([name, value]) => [ofMine(name), value])),
        }
      : { query: row.document(known), variables: {} };
  };

  test('every mutation has cases', () => {
    const without = mutations().filter(({ name }) => mutationCases[name] === undefined);
    expect(without.map(({ name }) => name)).toEqual([]);
    expect(mutations().flatMap(rowsOf).length).toBeGreaterThan(60);
  });

  // The rows of each mutation alternate between HTTP and WebSocket.
  test.each(['HTTP', 'WebSocket'] as const)(
    'over %s gets a code, the path of each problem and a hint; nothing is stored, started or connected to, and the server continues',
    async (transport) => {
      const wrong: object[] = [];
      settled.outside.takeRecords();
      for (const operation of mutations()) {
        const rows = rowsOf(operation).filter((_row, index) => index % 2 === (transport === 'HTTP' ? 0 : 1));
        const before = JSON.stringify(await api.stored());
        for (const batch of inBatches(rows)) {
          const answers = await Promise.all(batch.map((row) => answered(row, transport)));
          const seen = settled.outside.takeRecords();
          wrong.push(...answers.flat());
          if (seen.length > 0) wrong.push({ seen, by: batch.map(({ name }) => `${operation.name}: ${name}`) });
          if (!(await goesOn())) wrong.push({ name: operation.name, found: 'the server does not continue' });
        }
        if (JSON.stringify(await api.stored()) !== before) wrong.push({ name: operation.name, found: 'it was stored' });
      }
      expect(wrong).toEqual([]);
      expect(logged()).toEqual([]);
    },
  );

  test('in subscriptions gets a code, the path and a hint', async () => {
    const wrong: object[] = [];
    for (const { name, document, operation, ...expected } of badSubscriptions) {
      if (!subscriptions().includes(operation)) continue;
      const errors = await errorsOver(socket, { query: document, variables: {} });
      wrong.push(...judged(expected, errors, JSON.stringify(errors)).map((found) => ({ name, found, errors })));
    }
    expect(wrong).toEqual([]);
    expect(await errorsOver(socket, { query: '{ me { subject } }', variables: {} })).toEqual([]);
    expect(logged()).toEqual([]);
  });

  test('in queries gets a code, the path and a hint', async () => {
    const wrong: object[] = [];
    for (const batch of inBatches(badQueries.filter((row) => queries().includes(firstFieldOf(row.document))))) {
      const found = batch.map(async ({ name, document, variables, ...expected }) => {
        const { text, errors, data } = await api.post(document, variables?.(known));
        const isAnswered = expected.code === undefined && expected.paths === undefined;
        const problems = isAnswered ? answersNothing(data, errors) : judged(expected, errors, text);
        return problems.map((each) => ({ name, found: each, text: text.slice(0, 500) }));
      });
      wrong.push(...(await Promise.all(found)).flat());
      if (!(await goesOn())) wrong.push({ found: 'the server does not continue', after: batch });
    }
    expect(wrong).toEqual([]);
    expect(logged()).toEqual([]);
  });

  test('is refused only because of its change: each call succeeds without the change', async () => {
    const wrong: object[] = [];
    for (const [name, cases] of Object.entries(mutationCases)) {
      const operation = mutations().find((each) => each.name === name);
      if (operation === undefined) continue;
      const { text, errors } = await api.post(operationDocument('mutation', operation), cases.good(known));
      const code = errors[0]?.extensions.code;
      if (code !== (cases.notYet === true ? 'NOT_YET_AVAILABLE' : undefined)) wrong.push({ name, text });
    }
    expect(wrong).toEqual([]);
    expect(settled.outside.takeRecords()).toContain('a connection arrived');
  });

  async function answered(row: Row, transport: 'HTTP' | 'WebSocket'): Promise<object[]> {
    const { query, variables } = sent(row);
    const answer = transport === 'HTTP' ? await api.post(query, variables) : undefined;
    const errors = answer?.errors ?? (await errorsOver(socket, { query, variables }));
    const text = answer?.text ?? JSON.stringify(errors);
    const name = `${row.operation.name}: ${row.name}`;
    return judged(row, errors, text).map((found) => ({ name, found, text: text.slice(0, 500) }));
  }

  const subscriptions = () => Object.keys(api.schema.getSubscriptionType()?.getFields() ?? {});
  const queries = () => Object.keys(api.schema.getQueryType()?.getFields() ?? {});

  async function goesOn(): Promise<boolean> {
    const id = known.own.serviceId;
    const { data } = await api.post('query ($id: ID!) { service(id: $id) { id } }', { id });
    return (data as { service: { id: string } | null } | undefined)?.service?.id === id;
  }

  /** Log lines that must not exist: with a secret, or about a defect. */
  function logged(): readonly string[] {
    return api.logged.filter((line) => line.includes(ofSecrets) || line.includes('defect'));
  }
});

/** The problem with the answer to a row. */
function judged(row: Pick<BadInput, 'code' | 'paths'>, errors: readonly ApiErrorAnswer[], text: string): object[] {
  const { code = 'BAD_INPUT', paths } = row;
  const [first, ...more] = errors.map(({ extensions }) => extensions);
  if (first === undefined) return [{ expected: code, got: 'no error' }];
  const fields = first.details.fields ?? [];
  const actualPaths = fields.map(({ path }) => path);
  const isWithoutHint = first.help === '' || fields.some(({ hint, problem }) => hint === '' || problem === '');
  return [
    ...(first.code === code && more.length === 0 ? [] : [{ expected: code, got: [first, ...more] }]),
    ...(paths === undefined || String(actualPaths) === String(paths) ? [] : [{ expected: paths, got: actualPaths }]),
    ...(isWithoutHint ? [{ expected: 'a hint' }] : []),
    ...(text.includes(ofSecrets) ? [{ expected: 'no secret' }] : []),
    ...(text.length > 4_000 ? [{ expected: 'a short answer', got: text.length }] : []),
  ];
}

/** A lookup of a missing thing is null, and a list of it is empty. */
function answersNothing(data: unknown, errors: readonly ApiErrorAnswer[]): object[] {
  const [answer] = Object.values(data ?? {}) as ({ nodes?: readonly unknown[] } | null)[];
  return errors.length === 0 && (answer === null || answer?.nodes?.length === 0) ? [] : [{ expected: 'nothing' }];
}

/** Several calls run at once. One after the other they would take a minute on a busy machine. */
function inBatches<T>(rows: readonly T[]): readonly (readonly T[])[] {
  const size = 12;
  return Array.from({ length: Math.ceil(rows.length / size) }, (_, index) =>
    rows.slice(index * size, (index + 1) * size),
  );
}

function firstFieldOf(document: string): string {
  const [definition] = parse(document).definitions;
  const [field] = definition?.kind === Kind.OPERATION_DEFINITION ? definition.selectionSet.selections : [];
  return field?.kind === Kind.FIELD ? field.name.value : '';
}

function laidOver(good: unknown, changes: object): object {
  return Object.defineProperties(
    typeof good === 'object' ? { ...good } : {},
    Object.getOwnPropertyDescriptors(changes),
  );
}
