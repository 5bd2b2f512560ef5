import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { startWholeApi, type WholeApi } from '../fixtures/api/wholeApi.js';
import { fillWithBackupJobs } from '../fixtures/manyBackupJobs.js';
import { describeWith } from '../fixtures/requirements.js';
import { postgresMissing } from '../fixtures/servers/postgres.js';
import { aliases, halfHourlyDraft } from '../strangers/documents/hostileDocument.js';

describeWith({ postgresql: await postgresMissing() }, 'a small query has a small answer', () => {
  let api: WholeApi;
  let planIds: readonly string[];
  let serviceIds: readonly string[];
  let jobIds: readonly string[];

  beforeAll(async () => {
    api = await startWholeApi();
    await fillWithBackupJobs(api.owner, { projects: 1, services: 60, jobs: 500 });
    await api.owner.query(`
      UPDATE services SET tls = jsonb_build_object('mode', 'VERIFY', 'ca', repeat('x', 64000));
      UPDATE backup_jobs SET inventory = jsonb_set(inventory, '{note}', to_jsonb(repeat('x', 100000)))
        WHERE status = 'SUCCEEDED'`);
    const ids = async (sql: string) => (await api.owner.query<{ id: string }[]>(sql)).map(({ id }) => id);
    planIds = await ids('SELECT id FROM backup_plans WHERE NOT paused');
    serviceIds = await ids('SELECT id FROM services');
    jobIds = await ids(`SELECT id FROM backup_jobs WHERE status = 'SUCCEEDED' LIMIT 100`);
  });
  afterAll(() => api.stop());

  const nodes = (type: string, fields: string) =>
    `query ($ids: [ID!]!) { nodes(ids: $ids) { ... on ${type} { ${fields} } } }`;

  describe('an answer that becomes too long is ended, and the error names the field', () => {
    test.each<[string, string, () => object, string]>([
      [
        'the next runs of one plan, 99 times for each of 200 ids',
        nodes('BackupPlan', aliases(99, 'nextRuns(count: 100)')),
        () => ({ ids: Array.from({ length: 200 }, () => planIds[0]) }),
        'BackupPlan.nextRuns',
      ],
      [
        'certificates of 64 kB, 70 times for each service',
        nodes('Service', aliases(70, 'tls { ca }')),
        () => ({ ids: serviceIds }),
        'Tls.ca',
      ],
      [
        'inventories, 20 times for each of 100 backups',
        nodes('BackupJob', aliases(20, 'inventory')),
        () => ({ ids: jobIds }),
        'BackupJob.inventory',
      ],
      [
        'a long name for each of 60 ids',
        nodes('BackupPlan', `${'n'.repeat(100_000)}: id`),
        () => ({ ids: planIds }),
        'BackupPlan.id',
      ],
      [
        'the types of the schema, 99 times',
        `{ __schema { ${aliases(99, 'types { name description fields { name description } }')} } }`,
        () => ({}),
        '__',
      ],
    ])('%s', async (_name, query, variables, field) => {
      const { status, data, errors, text } = await api.post(query, variables());
      expect({ status, data, codes: errors.map(({ extensions }) => extensions.code) }).toEqual({
        status: 200,
        data: null,
        codes: ['TOO_COMPLEX'],
      });
      expect(errors[0]?.extensions.details).toMatchObject({
        limit: 'answerBytes',
        field: expect.stringContaining(field),
      });
      expect(text.length).toBeLessThan(2_000);
    });
  });

  test('rows that are read but not shown count too', async () => {
    const { errors } = await api.post(`{ ${aliases(25, 'services(first: 200) { nodes { tls { mode } } }')} }`);
    expect(errors).toMatchObject([{ extensions: { code: 'TOO_COMPLEX', details: { limit: 'readBytes' } } }]);
  });

  test('computations that cost too much are ended', async () => {
    const previews = aliases(25, (number) => `retentionPreview(input: $input, days: ${366 - number}) { kept }`);
    const { errors } = await api.post(`query ($input: RetentionPreviewInput!) { ${previews} }`, {
      input: { draft: halfHourlyDraft },
    });
    expect(errors).toMatchObject([
      { extensions: { code: 'TOO_COMPLEX', details: { limit: 'work', field: 'Query.retentionPreview' } } },
    ]);
  });

  test('equal computations run once: 25 equal previews of a year cost as much as one', async () => {
    const preview = 'retentionPreview(input: $input, days: 366) { date kept deleted }';
    const ask = (times: number) =>
      api.post(`query ($input: RetentionPreviewInput!) { ${aliases(times, preview)} }`, {
        input: { draft: halfHourlyDraft },
      });
    const [one, many] = [await ask(1), await ask(25)];
    expect(many.errors).toEqual([]);
    expect(new Set(Object.values(many.data as object).map((days) => JSON.stringify(days)))).toEqual(
      new Set([JSON.stringify((one.data as { a0: unknown }).a0)]),
    );
  });

  test('a request of another client does not wait for a large request', async () => {
    const previews = aliases(4, (number) => `retentionPreview(input: $input, days: ${366 - number}) { kept }`);
    const order: string[] = [];
    const heavy = api
      .post(`query ($input: RetentionPreviewInput!) { ${previews} }`, { input: { draft: halfHourlyDraft } })
      .then(({ errors }) => order.push(errors.length === 0 ? 'heavy' : 'refused'));
    for (let ping = 0; ping < 5; ping += 1) {
      await api.post('{ me { subject } }');
      order.push('ping');
    }
    await heavy;
    expect(order).toEqual(['ping', 'ping', 'ping', 'ping', 'ping', 'heavy']);
  });

  test('errors count too, and after 500 of them the answer ends with the last one', async () => {
    const query = `{ backupJobs(first: 200) { nodes { ${aliases(9, 'plan { nextRuns(count: 0) }')} } } }`;
    const { data, errors } = await api.post(query);
    expect(data).toBeNull();
    expect(errors).toMatchObject([{ extensions: { code: 'BAD_INPUT' } }]);
  });

  test('one long inventory can be read alone, and not together with another one', async () => {
    const [first = '', second = '', third = ''] = jobIds;
    const lengthen = (ids: readonly string[], length: number) =>
      api.owner.query(
        `UPDATE backup_jobs SET inventory = jsonb_set(inventory, '{note}', to_jsonb(repeat('x', $2))) WHERE id = ANY($1)`,
        [ids, length],
      );
    await lengthen([first, second], 6_000_000);
    await lengthen([third], 9_000_000);
    const codes = async (...ids: readonly string[]) =>
      (await api.post(nodes('BackupJob', 'inventory'), { ids })).errors.map(({ extensions }) => extensions.code);
    try {
      expect(await codes(first)).toEqual([]);
      expect(await codes(first, second)).toEqual(['TOO_COMPLEX']);
      expect(await codes(third)).toEqual(['TOO_COMPLEX']);
    } finally {
      await lengthen([first, second, third], 100_000);
    }
  });

  test('a usual answer is complete and unchanged', async () => {
    const query = `{ backupJobs(first: 40) { nodes { id status attempts { number } } pageInfo { hasNextPage } } }`;
    const { data, errors } = await api.post(query);
    expect(errors).toEqual([]);
    expect(data).toMatchObject({
      backupJobs: {
        nodes: Array.from({ length: 40 }, () => ({ id: expect.any(String), status: expect.any(String) })),
        pageInfo: { hasNextPage: true },
      },
    });
  });
});
