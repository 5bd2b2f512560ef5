import { expect, test } from '@jest/globals';
import { OperationTypeNode } from 'graphql';
import { installationViewer } from '../viewer.js';
import { AnswersAtOnce } from './answersAtOnce.js';

const { MUTATION, QUERY } = OperationTypeNode;

/** How many of `asked` answers of one viewer begin at once. */
async function begun(viewerKey: string, kind: OperationTypeNode, asked: number): Promise<number> {
  const answers = new AnswersAtOnce(60_000);
  let count = 0;
  const leaving = Array.from({ length: asked }, async () => {
    const leave = await answers.enter(viewerKey, kind);
    count += 1;
    return leave;
  });
  await new Promise((resolve) => setImmediate(resolve));
  const first = count;
  // Each answer that ends lets the next one begin.
  for (const each of leaving) (await each)();
  expect(count).toBe(asked);
  return first;
}

test.each([
  ['person:https://sso.example.org#ada', QUERY, 6],
  ['person:https://sso.example.org#ada', MUTATION, 16],
  [installationViewer.subject, QUERY, 6],
  [installationViewer.subject, MUTATION, 128],
] as const)('of the viewer %s and the kind %s, %i answers are produced at once', async (viewerKey, kind, most) => {
  await expect(begun(viewerKey, kind, 140)).resolves.toBe(most);
});
