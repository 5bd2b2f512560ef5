import { expect, test } from '@jest/globals';
import { buildSchema, parse } from 'graphql';
import { Shares } from '../fairness/shares.js';
import { Usage } from '../fairness/usage.js';
import type { RequestContext } from '../requestContext.js';
import { executeWithinBudget } from './executeWithinBudget.js';
import { jsonInSlices } from './jsonInSlices.js';
import { meterFields } from './meterFields.js';

test('the rest of a large answer whose client has left lets others work too', async () => {
  const shares = new Shares({ ofViewer: 1_000_000, inTotal: 1_000_000, socketsOfViewer: 1 });
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

test('a field that the answer no longer needs does not hold it up when it exceeds the budget', async () => {
  const schema = buildSchema('type Query { ship: Ship } type Ship { name: String!, log: String }');
  meterFields(schema);
  let arrive: (log: string) => void = () => undefined;
  const log = new Promise<string>((resolve) => (arrive = resolve));
  const shares = new Shares({ ofViewer: 1_000_000, inTotal: 1_000_000, socketsOfViewer: 1 });
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
