import { expect, test } from '@jest/globals';
import { Shares } from '../fairness/shares.js';
import { Usage } from '../fairness/usage.js';

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
