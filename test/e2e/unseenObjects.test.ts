/** The time of an answer must not show which ids exist: what PostgreSQL does for an unseen object equals what it does for a missing one. */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { missingIn, unseenPairs, type UnseenPair } from '../fixtures/api/unseenPairs.js';
import { memberOf } from '../fixtures/api/sliceApi.js';
import { startWholeApi, type WholeApi } from '../fixtures/api/wholeApi.js';
import { describeWith } from '../fixtures/requirements.js';
import { sentStatements, type Statement } from '../fixtures/sentStatements.js';
import { postgresMissing } from '../fixtures/servers/postgres.js';
import { settleProject, type SettledProject } from '../fixtures/settledProject.js';

describeWith({ postgresql: await postgresMissing() }, 'an object that is not visible', () => {
  let api: WholeApi;
  let own: SettledProject;
  let other: SettledProject;

  beforeAll(async () => {
    api = await startWholeApi();
    own = await settleProject(api, 'Amsterdam', 9);
    other = await settleProject(api, 'Zanzibar', 9);
  });
  afterAll(() => api.stop());

  test('takes the same statements and answers as one that does not exist, and nothing of it is read but its project', async () => {
    const token = api.admit(memberOf(own.projectId, 'ADMIN'));
    const ask = async ({ query }: UnseenPair, variables: UnseenPair['unseen']) => {
      let answer = '';
      const statements = await sentStatements(api.dataSource, async () => {
        answer = (await api.post(query, variables, token)).text;
      });
      return { answer: withoutIds(answer), statements: statements.filter(isRead) };
    };
    const differencesOf = async (pair: UnseenPair): Promise<object[]> => {
      const [hidden, missing] = [await ask(pair, pair.unseen), await ask(pair, missingIn(pair.unseen))];
      // The kinds of nodes are read at the same time.
      const [sent, sentForMissing] = [hidden, missing].map(({ statements }) =>
        statements.map(({ query }) => query).toSorted(),
      );
      const differences: object[] = [];
      if (hidden.answer !== missing.answer) differences.push({ hidden: hidden.answer, missing: missing.answer });
      if (sent?.join() !== sentForMissing?.join()) differences.push({ sent, sentForMissing });
      for (const { query, parameters } of hidden.statements) {
        const rows = await api.dataSource.query<object[]>(query, parameters);
        const foreign = rows.filter((row) => JSON.stringify(row).includes(other.projectId));
        if (foreign.some((row) => Object.keys(row).length > 1)) differences.push({ reads: query });
      }
      return differences;
    };
    const wrong: object[] = [];
    for (const pair of unseenPairs(api.schema, own, other)) {
      // Timers of the API send statements too, so only a difference that is found three times counts.
      const found = await differencesOf(pair);
      const isReal =
        found.length > 0 && (await differencesOf(pair)).length > 0 && (await differencesOf(pair)).length > 0;
      if (isReal) wrong.push({ name: pair.name, found });
    }
    expect(wrong).toEqual([]);
  });
});

const isRead = ({ query }: Statement) => /^\s*(SELECT|WITH)/i.test(query);

function withoutIds(answer: string): string {
  return answer.replaceAll(/[0-9a-f]{8}-[0-9a-f-]{27}/g, '<id>');
}
