import { expect, test } from '@jest/globals';
import { buildSchema, parse } from 'graphql';
import { Shares } from '../fairness/shares.js';
import { Usage } from '../fairness/usage.js';
import type { RequestContext } from '../requestContext.js';
import { AnswerBudget } from './answerBudget.js';
import { executeWithinBudget } from './executeWithinBudget.js';
import { jsonInSlices } from './jsonInSlices.js';
import { meterFields } from './meterFields.js';

test('the rest of a large answer whose client has left lets others work too', async () => {
  const shares = new Shares({ ofViewer: 1_000_000, inTotal: 1_000_000, socketsOfViewer: 1, requestWaitMs: 1 });
  const budget = shares.budgetOf('viewer', new Usage());
  budget.pay('answerBytes', 300_000, 'Query.test');
  budget.release();

  let turnsOfOthers = 0;
  let isOver = false;
  const others = () => {
    turnsOfOthers += 1;
    if (!isOver) setImmediate(others);
  };
  setImmediate(others);
  const began = performance.now();
  function* computation() {
    while (performance.now() - began < 200) yield 1;
  }
  await budget.run(computation(), 'Query.test');
  isOver = true;
  expect(turnsOfOthers).toBeGreaterThan(5);
});

test('an answer reads few pages at the same time, and pays for each before it reads further ones', async () => {
  const schema = buildSchema(
    'type Query { ships: ShipConnection } type ShipConnection { edges: [Edge] } type Edge { cursor: String }',
  );
  meterFields(schema);
  let reading = 0;
  let most = 0;
  let read = 0;
  const ships = async () => {
    reading += 1;
    read += 1;
    most = Math.max(most, reading);
    await new Promise(setImmediate);
    reading -= 1;
    return { edges: [{ node: { row: { log: 'x'.repeat(10_000_000) } } }] };
  };
  const budget = new AnswerBudget();
  const fields = Array.from({ length: 25 }, (_, number) => `a${number}: ships { edges { cursor } }`).join(' ');
  const result = await executeWithinBudget({
    ...{ schema, document: parse(`{ ${fields} }`), rootValue: { ships } },
    contextValue: { budget } as RequestContext,
  });
  expect(result.errors?.[0]?.originalError).toMatchObject({
    code: 'TOO_COMPLEX',
    details: { limit: 'readBytes', field: 'Query.ships' },
  });
  expect(most).toBe(2);
  expect(read).toBeLessThan(7);
});

test('a field that the answer no longer needs does not hold it up when it exceeds the budget', async () => {
  const schema = buildSchema('type Query { ship: Ship } type Ship { name: String!, log: String }');
  meterFields(schema);
  let arrive: (log: string) => void = () => undefined;
  const log = new Promise<string>((resolve) => (arrive = resolve));
  const shares = new Shares({ ofViewer: 1_000_000, inTotal: 1_000_000, socketsOfViewer: 1, requestWaitMs: 1 });
  const budget = shares.budgetOf('viewer', new Usage());
  const result = await executeWithinBudget({
    ...{
      schema,
      document: parse('{ ship { name log } }'),
      rootValue: { ship: { name: () => Promise.resolve(null), log: () => log } },
    },
    contextValue: { budget } as RequestContext,
  });
  expect(result).toMatchObject({ data: { ship: null }, errors: [{ path: ['ship', 'name'] }] });

  arrive('x'.repeat(5_000_000));
  while (!budget.isExceeded) await new Promise(setImmediate);
  expect(JSON.parse(await jsonInSlices(result, () => budget.pauseToWrite()))).toMatchObject({ data: { ship: null } });
});
