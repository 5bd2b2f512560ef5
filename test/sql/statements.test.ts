/**
 * PostgreSQL prepares every statement of the program against the migrated schema and describes its columns. Each field
 * of the row type beside the statement must be one of these columns, with the same type.
 */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { Client } from 'pg';
import { describeWith } from '../fixtures/requirements.js';
import { postgresMissing, startPostgres, type TestPostgres } from '../fixtures/servers/postgres.js';
import { describeStatement } from './describeStatement.js';
import { statementsOfProgram } from './statements.js';

/** Statements whose text is only known at run time, each with the code that shows its columns instead. */
const assembledAtRunTime: Readonly<Record<string, string>> = {
  'src/jobs/attemptedJobView.ts: apply': 'The kind of job names the table. No statement returns rows.',
  'src/jobs/attemptedJobView.ts: startAttempt': 'The kind of job names the table. No statement returns rows.',
  'src/postgres/eventIndex.ts: count': 'It may have a condition of the caller. historyApi.test.ts runs it.',
  'src/postgres/eventStore.ts: read':
    'The conditions depend on the options. eventStore.test.ts and historyApi.test.ts cover each condition.',
  'src/postgres/rebuildProjection.ts: rebuildProjection': 'The projection names the tables. No statement returns rows.',
  'src/postgres/roles.ts: grantToAppRole': 'The role is a setting. No statement returns rows.',
  'src/server/tableReader.ts: tableReader':
    'The caller provides the text. selectPage.test.ts and the tests of lists run it.',
  'src/worker/retention/retentionSweep.ts: candidates':
    'The text depends on the styles. retentionSweep.test.ts runs it for every style.',
};

const statements = statementsOfProgram();

test('every statement has a text that can be checked, or a recorded reason why not', () => {
  const unknown = statements.filter(({ texts }) => texts === undefined).map(({ place }) => place);
  expect([...new Set(unknown)].toSorted()).toEqual(Object.keys(assembledAtRunTime).toSorted());
});

describeWith({ postgresql: await postgresMissing() }, 'the statements of the program', () => {
  let postgres: TestPostgres;
  let client: Client;
  beforeAll(async () => {
    postgres = await startPostgres();
    client = new Client({ connectionString: postgres.ownerUrl });
    await client.connect();
  });
  afterAll(async () => {
    await client.end();
    await postgres.stop();
  });

  const checked = statements.flatMap(({ place, texts = [], row }) =>
    // PostgreSQL prepares one statement at a time. Several in one text return no rows.
    texts.filter((text) => !text.includes(';')).map((text) => ({ place, text, row })),
  );
  test.each(checked.map((each) => [each.place, each] as const))('%s', async (_place, { text, row }) => {
    const columns = await describeStatement(client, text);
    const wrong = [...(row ?? [])].flatMap(([field, kind]) => {
      const column = columns.get(field);
      if (column === undefined) return [`The statement has no column ${field}.`];
      return column.includes(kind)
        ? []
        : [`${field} is ${kind} in the row type and ${column.join(' or ')} in the answer.`];
    });
    expect(wrong).toEqual([]);
  });
});
