import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { failed, queuedJob, started, succeeded, executeCommands } from '../../../test/fixtures/backupJobs.js';
import { postgresMissing } from '../../../test/fixtures/servers/postgres.js';
import { describeWith } from '../../../test/fixtures/requirements.js';
import { sentStatements } from '../../../test/fixtures/sentStatements.js';
import { settleProject, type SettledProject } from '../../../test/fixtures/settledProject.js';
import { memberOf } from '../../../test/fixtures/api/sliceApi.js';
import { startWholeApi, type WholeApi } from '../../../test/fixtures/api/wholeApi.js';
import { parseDuration } from '../../duration.js';

const table = (rows: number | null, rowsEstimated = false) => ({ name: 't', rows, rowsEstimated, sizeBytes: 1 });

const everything = `
  id trigger batchId requestedBy status availability phase scheduledFor queuedAt startedAt finishedAt executionTime
  message attempt size storedSize inventory warnings encrypted verifiedAt verifiedLevel expectedDeletionAt viewerActions
  version project { id } service { id } plan { id } fileEndpoint { id } retryOf { id } skippedFor { id }
  error { code message hint toolOutput retriable }
  attempts { number worker startedAt finishedAt outcome error { code } }
  progress { id readBytes } parts { name objectName size storedSize checksum restoreByHand }
  inventorySummary { serverVersion tables } changes { sentence } hold { reason by at } restores { nodes { id } }`;

describeWith({ postgresql: await postgresMissing() }, 'backup jobs over GraphQL', () => {
  let api: WholeApi;
  let settled: SettledProject;
  let other: SettledProject;

  beforeAll(async () => {
    api = await startWholeApi();
    settled = await settleProject(api, 'harbour', 3306);
    other = await settleProject(api, 'elsewhere', 3306);
  });
  afterAll(() => api.stop());

  test('a job returns every field', async () => {
    const query = `query ($id: ID!) { backupJob(id: $id) { ${everything} } node(id: $id) { id } }`;
    const { data, errors } = await api.post(query, { id: settled.readJobId });
    expect(errors).toEqual([]);
    expect(data.node).toEqual({ id: settled.readJobId });
    expect(data.backupJob).toMatchObject({
      status: 'SUCCEEDED',
      availability: 'STORED',
      executionTime: 'PT0S',
      attempt: 1,
      viewerActions: ['HOLD', 'RESTORE'],
      restores: { nodes: [{ id: settled.restoreJobId }] },
      encrypted: false,
      message: 'Stored 1 B of dump in 1 B.',
    });
  });

  test('a job shows what changed since the previous backup', async () => {
    const { dataSource } = api.shared;
    const item = {
      ...{ database: 'shop', kind: 'tables', name: 'orders', change: 'CHANGED', rowsBefore: 9, rowsAfter: 1 },
      ...{ rowsEstimated: false, definitionChanged: true },
    };
    const shown = { sentence: 'shop.orders: 1 row, −89 %.', rowsBefore: 9, rowsAfter: 1, rowsEstimated: false };
    const changes = { since: settled.readJobId, fell: true, ...shown, items: [item], moreItems: 3 };
    const { readJobId: id, projectId } = other;
    await dataSource.query('UPDATE backup_jobs SET changes = $2 WHERE id = $1', [id, changes]);
    const fields = `sentence rowsBefore rowsAfter rowsEstimated moreItems since { id }
      items { database kind name change rowsBefore rowsAfter rowsEstimated definitionChanged }`;
    const one = await api.post(`query ($id: ID!) { backupJob(id: $id) { changes { ${fields} } } }`, { id });
    const expected = { ...shown, since: { id: settled.readJobId }, items: [item], moreItems: 3 };
    expect(one).toMatchObject({ errors: [], data: { backupJob: { changes: expected } } });
    const list = await api.post(
      `query ($projectId: ID!) { backupJobs(projectId: $projectId) { nodes { id changes { ${fields} } } } }`,
      { projectId },
    );
    expect(list.errors).toEqual([]);
    expect(list.data.backupJobs.nodes).toContainEqual({ id, changes: expected });
  });

  test('a job shows the accounts that it contains', async () => {
    const { readJobId: id } = other;
    const query = `query ($id: ID!) { backupJob(id: $id) { accounts { users roles totalUsers totalRoles } } }`;
    expect(await api.post(query, { id })).toMatchObject({ errors: [], data: { backupJob: { accounts: null } } });
    const users = Array.from({ length: 1_001 }, (_, number) => `user${number}@%`);
    const inventory = { databases: [], accounts: { users, roles: ['reader'] } };
    await api.shared.dataSource.query('UPDATE backup_jobs SET inventory = $2 WHERE id = $1', [id, inventory]);
    const accounts = { users: users.slice(0, 1_000), roles: ['reader'], totalUsers: 1_001, totalRoles: 1 };
    expect(await api.post(query, { id })).toMatchObject({ errors: [], data: { backupJob: { accounts } } });
  });

  test('a list reads the inventories of its jobs only if they are selected, and then all at once', async () => {
    const { dataSource } = api.shared;
    const inventory = {
      ...{ serverVersion: '10.11', toolVersion: '10.11', sizeBytes: 5 },
      databases: [{ name: 'orders', tables: [{ name: 'items', rows: 7, rowsEstimated: false }] }],
    };
    const { readJobId: id, projectId } = settled;
    await dataSource.query('UPDATE backup_jobs SET inventory = $2 WHERE id = $1', [id, inventory]);
    const reads = async (fields: string) => {
      const list = `query ($id: ID!) { backupJobs(projectId: $id) { nodes { id ${fields} } } }`;
      let nodes: readonly { readonly id: string }[] = [];
      const sent = await sentStatements(dataSource, async () => {
        const { data, errors } = await api.post(list, { id: projectId });
        expect(errors).toEqual([]);
        nodes = data.backupJobs.nodes;
      });
      return {
        statements: sent.filter(({ query }) => query.includes('inventory')).length,
        job: nodes.find((job) => job.id === id),
      };
    };
    await expect(reads('status size message parts { name }')).resolves.toMatchObject({ statements: 0 });
    await expect(reads('inventory')).resolves.toEqual({ statements: 1, job: { id, inventory } });
    await expect(reads('inventorySummary { databases tables rows size }')).resolves.toEqual({
      statements: 1,
      job: { id, inventorySummary: { databases: 1, tables: 1, rows: 7, size: 5 } },
    });
  });

  test.each([
    ['several databases', [[table(7), table(8, true)], [], [table(0)]], { databases: 3, tables: 3, rows: 15 }, true],
    ['a table that was not counted', [[table(7), table(null)]], { databases: 1, tables: 2, rows: null }, false],
    ['nothing', [], { databases: 0, tables: 0, rows: 0 }, false],
  ])('the inventory of %s is summed up', async (_name, tables, figures, rowsEstimated) => {
    const versions = { serverVersion: '11.4', toolVersion: '10.11' };
    const databases = tables.map((each, n) => ({ name: `d${n}`, tables: each, objects: {}, properties: {} }));
    const summary = await summaryOf({ ...versions, sizeBytes: null, databases });
    expect(summary).toEqual({ ...versions, ...figures, rowsEstimated, size: null });
  });

  test.each([
    ['was not taken', null],
    ['this version does not know', { databases: 'many' }],
    ['is not an object', 5],
  ])('an inventory that %s has no summary', async (_name, inventory) => {
    await expect(summaryOf(inventory)).resolves.toBeNull();
  });

  async function summaryOf(inventory: unknown): Promise<unknown> {
    const id = settled.readJobId;
    const stored = inventory === null ? null : JSON.stringify(inventory);
    await api.shared.dataSource.query('UPDATE backup_jobs SET inventory = $2 WHERE id = $1', [id, stored]);
    const query = `query ($id: ID!) { backupJob(id: $id) {
      inventorySummary { serverVersion toolVersion databases tables rows rowsEstimated size } } }`;
    const { data, errors } = await api.post(query, { id });
    expect(errors).toEqual([]);
    return data.backupJob.inventorySummary;
  }

  test('every other field that shows backups returns them', async () => {
    const query = `query ($service: ID!, $plan: ID!, $endpoint: ID!, $project: ID!, $restore: ID!) {
      service(id: $service) {
        protection { status dataAsOf dueBy consecutiveFailures latest { id } lastSuccess { id } }
        lastSuccessfulBackup { id } jobs(orderBy: { by: STORED_SIZE }) { nodes { id } totalCount } }
      backupPlan(id: $plan) {
        protection { status } jobs(filter: { status: [QUEUED] }) { nodes { id } }
        destinations { fileEndpoint { id } latest { id } lastSuccess { id } kept storedSize } }
      fileEndpoint(id: $endpoint) { storedSize backups }
      project(id: $project) { protection { status services } }
      restoreJob(id: $restore) {
        id mode databases { from to } status phase queuedAt message warnings attempt differences { path } version
        backup { id } target { id } project { id } progress { id } safetyBackup { id } undoes { id } undoneBy { id } }
      restoreJobs(projectId: $project, serviceId: $service, status: [QUEUED]) { nodes { id } totalCount }
      events(projectId: $project, first: 200) { edges { cursor node { id position type summary data actor } } totalCount }
      services(projectId: $project, filter: { protection: [LATE, NEVER, PROTECTED] }) { nodes { id } }
    }`;
    const { data, errors } = await api.post(query, {
      service: settled.serviceId,
      plan: settled.planId,
      endpoint: settled.fileEndpointId,
      project: settled.projectId,
      restore: settled.restoreJobId,
    });
    expect(errors).toEqual([]);
    expect([settled.storedJobId, settled.readJobId]).toContain(data.service.lastSuccessfulBackup.id);
    expect(data.service.jobs.totalCount).toBe(4);
    expect(data.backupPlan.destinations).toMatchObject([{ kept: 2, storedSize: 2 }]);
    expect(data.backupPlan.jobs.nodes).toEqual([{ id: settled.queuedJobId }]);
    expect(data.fileEndpoint).toEqual({ storedSize: 2, backups: 2 });
    expect(data.restoreJobs).toEqual({ nodes: [{ id: settled.restoreJobId }], totalCount: 1 });
    expect(data.services.nodes).toEqual([{ id: settled.serviceId }]);
    expect(data.project.protection).toEqual(expect.arrayContaining([{ status: 'NO_PLAN', services: 1 }]));
    expect(data.events.edges).toHaveLength(data.events.totalCount as number);
    const { id } = data.events.edges[0].node as { id: string };
    expect((await api.post('query ($id: ID!) { node(id: $id) { __typename id } }', { id })).data.node).toEqual({
      __typename: 'Event',
      id,
    });
  });

  test('the start of a plan queues one job for each destination, which can be cancelled and retried', async () => {
    const start =
      'mutation ($planId: ID!, $commandId: ID) { startBackup(input: { planId: $planId }, commandId: $commandId) { batchId jobs { id status trigger batchId } } }';
    const commandId = randomUUID();
    const { data, errors } = await api.post(start, { planId: settled.planId, commandId });
    expect(errors).toEqual([]);
    const [job] = data.startBackup.jobs as { id: string }[];
    expect(data.startBackup.jobs).toMatchObject([
      { status: 'QUEUED', trigger: 'MANUAL', batchId: data.startBackup.batchId },
    ]);
    expect((await api.post(start, { planId: settled.planId, commandId })).data).toEqual(data);
    const cancel = 'mutation ($id: ID!) { cancelBackupJob(id: $id) { status message viewerActions } }';
    const cancelled = await api.post(cancel, { id: job?.id });
    expect(cancelled.data.cancelBackupJob).toMatchObject({ status: 'CANCELLED', viewerActions: ['RETRY'] });
    const retry = 'mutation ($id: ID!) { retryBackupJob(id: $id) { id status trigger retryOf { id } } }';
    const retried = await api.post(retry, { id: job?.id });
    expect(retried.data.retryBackupJob).toMatchObject({ status: 'QUEUED', trigger: 'RETRY', retryOf: { id: job?.id } });
  });

  test('a file endpoint of another project and a restore into another project are refused', async () => {
    const start = 'mutation ($input: ServiceBackupInput!) { startBackup(input: { service: $input }) { batchId } }';
    const input = { serviceId: settled.serviceId, fileEndpointId: other.fileEndpointId };
    const refused = await api.post(start, { input });
    expect(refused.errors[0]?.extensions.details.fields).toMatchObject([{ path: 'input.service.fileEndpointId' }]);
    const restore = 'mutation ($input: StartRestoreInput!) { startRestore(input: $input) { id status target { id } } }';
    const into = (serviceId: string) => ({
      input: { backupJobId: settled.storedJobId, target: { asNew: { serviceId } } },
    });
    expect((await api.post(restore, into(other.serviceId))).errors[0]?.extensions.code).toBe('BAD_INPUT');
    expect((await api.post(restore, into(settled.serviceId))).errors[0]?.extensions.code).toBe('NOT_YET_AVAILABLE');
    expect((await api.post(restore, into(settled.idleServiceId))).data.startRestore).toMatchObject({
      status: 'QUEUED',
      target: { id: settled.idleServiceId },
    });
  });

  test.each(
    ['QUEUED_AT', 'STARTED_AT', 'EXECUTION_TIME', 'STORED_SIZE'].flatMap((by) => [
      [by, 'ASC'],
      [by, 'DESC'],
    ]),
  )('pages by %s %s go through every job once, in order, with jobs without the value last', async (by, direction) => {
    const project = await varied();
    const query = `query ($projectId: ID!, $order: BackupJobOrder!, $after: String) {
      backupJobs(projectId: $projectId, orderBy: $order, first: 3, after: $after) {
        nodes { id queuedAt startedAt executionTime storedSize } pageInfo { hasNextPage endCursor } } }`;
    const paged: Record<string, string | number | null>[] = [];
    let after: string | undefined;
    for (let hasNext = true; hasNext;) {
      const { data, errors } = await api.post(query, { projectId: project.projectId, order: { by, direction }, after });
      expect(errors).toEqual([]);
      paged.push(...(data.backupJobs.nodes as typeof paged));
      hasNext = data.backupJobs.pageInfo.hasNextPage as boolean;
      after = data.backupJobs.pageInfo.endCursor as string;
    }
    expect(new Set(paged.map(({ id }) => id)).size).toBe(9);
    expect(paged).toHaveLength(9);
    const field = {
      QUEUED_AT: 'queuedAt',
      STARTED_AT: 'startedAt',
      EXECUTION_TIME: 'executionTime',
      STORED_SIZE: 'storedSize',
    }[by as 'QUEUED_AT'];
    const values = paged.map((job) => job[field] ?? null);
    const known = values.filter((value) => value !== null);
    expect(values.slice(0, known.length)).toEqual(known);
    const ms = (value: string | number) =>
      typeof value === 'number' ? value : value.startsWith('P') ? (parseDuration(value) ?? NaN) : Date.parse(value);
    const sorted = known.map(ms).toSorted((a, b) => (direction === 'ASC' ? a - b : b - a));
    expect(known.map(ms)).toEqual(sorted);
  });

  test.each<[string, object, number]>([
    ['status', { status: ['FAILED'] }, 2],
    ['availability', { availability: ['STORED'] }, 3],
    ['error code', { errorCode: ['SERVICE_AUTH'] }, 2],
    ['trigger', { trigger: ['SCHEDULE'] }, 0],
    ['an empty list', { status: [] }, 0],
    ['a plan', { planIds: [randomUUID()] }, 0],
    ['the time', { queuedFrom: '2026-02-01T00:00:02Z', queuedBefore: '2026-02-01T00:00:04Z' }, 2],
  ])('the filter accepts %s', async (_what, filter, count) => {
    const project = await varied();
    const query =
      'query ($projectId: ID!, $filter: BackupJobFilter) { backupJobs(projectId: $projectId, filter: $filter) { totalCount nodes { id } } }';
    const { data, errors } = await api.post(query, { projectId: project.projectId, filter });
    expect(errors).toEqual([]);
    expect(data.backupJobs.totalCount).toBe(count);
    expect(data.backupJobs.nodes).toHaveLength(count);
  });

  test('a backup that a restore reads is not deleted, not even with force', async () => {
    const remove = 'mutation ($id: ID!) { deleteBackup(id: $id, force: true) { availability } }';
    expect((await api.post(remove, { id: settled.readJobId })).errors[0]?.message).toMatch(/restore is reading/);
  });

  test('viewerActions lists exactly the mutations that a role may call', async () => {
    const query = 'query ($id: ID!) { backupJob(id: $id) { viewerActions } }';
    const remove = 'mutation ($id: ID!) { deleteBackup(id: $id) { id } }';
    for (const [role, actions, code] of [
      ['VIEWER', [], 'FORBIDDEN'],
      ['OPERATOR', ['HOLD', 'RESTORE'], 'FORBIDDEN'],
    ] as const) {
      const token = api.admit(memberOf(settled.projectId, role));
      const answer = await api.post(query, { id: settled.storedJobId }, token);
      expect(answer.data.backupJob.viewerActions).toEqual(actions);
      expect((await api.post(remove, { id: settled.storedJobId }, token)).errors[0]?.extensions.code).toBe(code);
      expect((await api.post(query, { id: other.storedJobId }, token)).data.backupJob).toBeNull();
      expect((await api.post(remove, { id: other.storedJobId }, token)).errors[0]?.extensions.code).toBe('NOT_FOUND');
    }
  });

  test('a scheduled backup shows when retention deletes it, but a manual backup does not', async () => {
    const project = await settleProject(api, `expected ${randomUUID()}`, 3306);
    const { projectId, planId, serviceId, fileEndpointId } = project;
    const scheduled = async (at: string) => {
      const request = {
        serviceId,
        fileEndpointId,
        planId,
        trigger: 'SCHEDULE',
        scheduledFor: at,
        queuedAt: at,
      } as const;
      const id = await queuedJob(api.shared, projectId, request);
      await executeCommands(api.shared, { id, projectId }, started(1, at), succeeded(1, at));
      return id;
    };
    const ids = [];
    for (const month of ['01', '02', '03', '04', '05', '06', '07', '08'])
      ids.push(await scheduled(`2025-${month}-01T05:00:00.000Z`));
    const query = 'query ($ids: [ID!]!) { nodes(ids: $ids) { ... on BackupJob { expectedDeletionAt } } }';
    const { data } = await api.post(query, { ids: [ids[0], ids[1], project.storedJobId] });
    const [oldest, second, byHand] = (data.nodes as { expectedDeletionAt: string | null }[]).map(
      (each) => each.expectedDeletionAt,
    );
    // FILES 7: the seventh newer backup replaces it. The plan runs on January 1st at 5.
    expect(oldest).toBe('2025-08-01T05:00:00.000Z');
    expect(second).toMatch(/^\d{4}-01-01T05:00:00.000Z$/);
    expect(byHand).toBeNull();
  });

  test('the preview of a plan starts with its backups and their usual size, and that of a draft starts with nothing', async () => {
    const project = await settleProject(api, `preview ${randomUUID()}`, 3306);
    const { projectId, planId, serviceId, fileEndpointId } = project;
    const change = 'mutation ($id: ID!, $input: BackupPlanPatch!) { updateBackupPlan(id: $id, input: $input) { id } }';
    const retention = { style: 'FILES', period: 3 };
    const changed = await api.post(change, { id: planId, input: { frequency: '@daily', retention } });
    expect(changed.errors).toEqual([]);
    for (const [day, size] of [100, 300, 1_000].entries()) {
      const at = new Date(Date.UTC(2025, 0, 1 + day)).toISOString();
      const request = {
        ...{ serviceId, fileEndpointId, planId, trigger: 'SCHEDULE' as const },
        ...{ scheduledFor: at, queuedAt: at },
      };
      const id = await queuedJob(api.shared, projectId, request);
      await executeCommands(api.shared, { id, projectId }, started(1, at), succeeded(1, at, size));
    }
    const query = `query ($input: RetentionPreviewInput!) {
      retentionPreview(input: $input, days: 5) { date kept deleted storedSize } }`;
    const preview = async (input: object) => {
      const { data, errors } = await api.post(query, { input });
      expect(errors).toEqual([]);
      return (data.retentionPreview as Record<string, unknown>[]).map(({ date: _date, ...day }) => day);
    };
    // The settled project also has a deleted backup, and two manual ones of a byte. The median of all six successes is
    // 1.
    const dayByDay = await preview({ planId });
    expect(dayByDay.map(({ kept }) => kept)).toEqual([5, 5, 5, 5, 5]);
    expect(dayByDay.map(({ deleted }) => deleted)).toEqual([0, 1, 1, 1, 1]);
    expect(dayByDay.map(({ storedSize }) => storedSize)).toEqual([1_402, 1_303, 1_004, 5, 5]);

    await api.post('mutation ($id: ID!) { pauseBackupPlan(id: $id) { id } }', { id: planId });
    expect((await preview({ planId })).map(({ storedSize }) => storedSize)).toEqual(Array(5).fill(1_402));

    const draft = { frequency: '@daily', retention: { style: 'GFS', gfs: { daily: 2 } }, sizeOfOne: 10 };
    expect(await preview({ draft })).toEqual([
      { kept: 0, deleted: 0, storedSize: 0 },
      { kept: 1, deleted: 0, storedSize: 10 },
      { kept: 2, deleted: 0, storedSize: 20 },
      { kept: 2, deleted: 1, storedSize: 20 },
      { kept: 2, deleted: 1, storedSize: 20 },
    ]);
  });

  /** Creates nine jobs of all kinds once. */
  let variedProject: Promise<SettledProject> | undefined;
  function varied(): Promise<SettledProject> {
    variedProject ??= (async () => {
      const project = await settleProject(api, 'varied', 3306);
      const at = (second: number) => `2026-02-01T00:00:0${second}.000Z`;
      for (const [second, commands] of [
        [1, []],
        [2, [started(1, at(2)), failed(1, at(8))]],
        [3, [started(1, at(3)), failed(1, at(5))]],
        [4, [started(1, at(4)), succeeded(1, at(9), 5_000)]],
        [5, [started(1, at(5))]],
      ] as const) {
        const { serviceId, fileEndpointId, projectId } = project;
        const id = await queuedJob(api.shared, projectId, { serviceId, fileEndpointId, queuedAt: at(second) });
        await executeCommands(api.shared, { id, projectId }, ...commands);
      }
      return project;
    })();
    return variedProject;
  }
});
