import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { startWholeApi, type WholeApi } from '../../../test/fixtures/api/wholeApi.js';
import { describeWith } from '../../../test/fixtures/requirements.js';
import { postgresMissing } from '../../../test/fixtures/servers/postgres.js';
import { settleProject, type SettledProject } from '../../../test/fixtures/settledProject.js';

const fields = 'database kind name rows rowsEstimated size type engine collation definitionHash';
const page = `query ($id: ID!, $database: String, $first: Int!, $after: String) { backupJob(id: $id) {
  inventoryObjects(database: $database, first: $first, after: $after) {
    nodes { ${fields} } pageInfo { hasNextPage endCursor } } } }`;

describeWith({ postgresql: await postgresMissing() }, 'The objects of an inventory', () => {
  let api: WholeApi;
  let settled: SettledProject;

  beforeAll(async () => {
    api = await startWholeApi();
    settled = await settleProject(api, 'harbour', 9);
  });
  afterAll(() => api.stop());

  const store = (inventory: unknown) =>
    api.shared.dataSource.query('UPDATE backup_jobs SET inventory = $2 WHERE id = $1', [
      settled.readJobId,
      inventory === null ? null : JSON.stringify(inventory),
    ]);
  type Node = { readonly database: string; readonly kind: string; readonly name: string };
  type Connection = { nodes: readonly Node[]; pageInfo: { hasNextPage: boolean; endCursor: string } };
  async function read(first: number, database?: string): Promise<{ nodes: readonly Node[]; pages: number }> {
    const nodes: Node[] = [];
    let after: string | undefined;
    for (let pages = 1; ; pages += 1) {
      const { data, errors } = await api.post(page, { id: settled.readJobId, database, first, after });
      expect(errors).toEqual([]);
      const { inventoryObjects: found } = (data as { backupJob: { inventoryObjects: Connection } }).backupJob;
      expect(found.nodes.length).toBeLessThanOrEqual(first);
      nodes.push(...found.nodes);
      if (!found.pageInfo.hasNextPage) return { nodes, pages };
      after = found.pageInfo.endCursor;
    }
  }
  const named = (nodes: readonly Node[]) => nodes.map(({ database, kind, name }) => `${database} ${kind} ${name}`);
  const table = (name: string, more: object = {}) => ({
    name,
    rows: 7,
    rowsEstimated: false,
    sizeBytes: 16384,
    ...more,
  });
  const inventory = {
    ...{ serverVersion: '11.4', toolVersion: '11.4', sizeBytes: 5 },
    databases: [
      { name: 'empty', tables: [], objects: {}, properties: {} },
      {
        name: 'orders',
        tables: [
          table('items', {
            type: 'BASE TABLE',
            engine: 'InnoDB',
            collation: 'utf8mb4_bin',
            definition: { hash: 'ab' },
          }),
          table('log', { rows: null, rowsEstimated: true, sizeBytes: null }),
        ],
        objects: { views: ['open', 'paid'], procedures: ['bill'], events: [] },
        properties: {},
      },
      { name: 'old', tables: [table('a')] },
    ],
  };
  const all = [
    ...['empty database empty', 'orders database orders', 'orders tables items', 'orders tables log'],
    ...['orders procedures bill', 'orders views open', 'orders views paid', 'old database old', 'old tables a'],
  ];

  test.each([1, 2, 3, 200])('are the same in pages of %s', async (first) => {
    await store(inventory);
    const { nodes, pages } = await read(first);
    expect(named(nodes)).toEqual(all);
    expect(pages).toBe(Math.ceil(all.length / first));
    expect(named((await read(first, 'orders')).nodes)).toEqual(all.filter((each) => each.startsWith('orders ')));
    expect(await read(first, 'unknown')).toEqual({ nodes: [], pages: 1 });
  });

  test('have the facts that were recorded, and their number', async () => {
    await store(inventory);
    const { nodes } = await read(200, 'orders');
    const unknown = { rows: null, rowsEstimated: false, size: null, type: null, engine: null };
    expect(nodes.slice(0, 3)).toEqual([
      { ...unknown, database: 'orders', kind: 'database', name: 'orders', collation: null, definitionHash: null },
      {
        ...{ database: 'orders', kind: 'tables', name: 'items', rows: 7, rowsEstimated: false, size: 16384 },
        ...{ type: 'BASE TABLE', engine: 'InnoDB', collation: 'utf8mb4_bin', definitionHash: 'ab' },
      },
      {
        ...{ ...unknown, database: 'orders', kind: 'tables', name: 'log', rowsEstimated: true },
        ...{ collation: null, definitionHash: null },
      },
    ]);
    const count = `query ($id: ID!) { backupJob(id: $id) {
      all: inventoryObjects { totalCount } orders: inventoryObjects(database: "orders") { totalCount } } }`;
    const { data } = await api.post(count, { id: settled.readJobId });
    expect(data).toEqual({ backupJob: { all: { totalCount: 9 }, orders: { totalCount: 6 } } });
  });

  test.each([null, 5, { databases: 'many' }])('are null if the inventory is %j', async (unknown) => {
    await store(unknown);
    const { data, errors } = await api.post(page, { id: settled.readJobId, first: 10 });
    expect(errors).toEqual([]);
    expect(data).toEqual({ backupJob: { inventoryObjects: null } });
  });

  test('refuse a cursor of another list or backup', async () => {
    await store(inventory);
    const cursors = [
      ['inventory', '0.0.0', settled.storedJobId],
      ['inventory', 'x', settled.readJobId],
      ['queuedAt', '0.0.0', settled.readJobId],
    ];
    for (const cursor of cursors) {
      const after = Buffer.from(JSON.stringify(cursor)).toString('base64url');
      const { errors } = await api.post(page, { id: settled.readJobId, first: 10, after });
      expect(errors[0]?.extensions.code).toBe('BAD_INPUT');
    }
  });

  test('of an inventory that is too large for one answer can be read', async () => {
    const tables = Array.from({ length: 100_000 }, (_, number) =>
      table(`table_${number}`, { type: 'BASE TABLE', engine: 'InnoDB', rowFormat: 'Dynamic', collation: 'latin1_bin' }),
    );
    await store({ ...inventory, databases: [{ name: 'huge', tables, objects: {}, properties: {} }] });
    const whole = await api.post('query ($id: ID!) { backupJob(id: $id) { inventory } }', { id: settled.readJobId });
    expect(whole.errors[0]?.extensions.code).toBe('TOO_COMPLEX');
    const at = async (index: number) => {
      const after = Buffer.from(JSON.stringify(['inventory', `0.1.${index}`, settled.readJobId])).toString('base64url');
      const { data } = await api.post(page, { id: settled.readJobId, first: 200, after });
      return (data as { backupJob: { inventoryObjects: Connection } }).backupJob.inventoryObjects;
    };
    const middle = await at(49_999);
    expect(middle.nodes.at(0)?.name).toBe('table_50000');
    expect(middle.nodes.at(-1)?.name).toBe('table_50199');
    expect((await at(99_899)).pageInfo.hasNextPage).toBe(false);
  });
});
