import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { startPlanApi, type PlanApi } from '../../test/fixtures/api/planApi.js';
import { postgresMissing } from '../../test/fixtures/servers/postgres.js';
import { describeWith } from '../../test/fixtures/requirements.js';
import { memberOf, type Answer } from '../../test/fixtures/api/sliceApi.js';

const fields = `id name description paused maxAttempts catchUpWindow timeout stallTimeout version viewerActions removedAt nextRunAt
  project { id } service { id } fileEndpoints { id } frequency { typed normalized timeZone description }
  retention { style period gfs { daily } } driftThreshold { table total action exceptTables } includeUsers compression`;
const create = `mutation ($input: BackupPlanInput!, $commandId: ID) { createBackupPlan(input: $input, commandId: $commandId) { ${fields} } }`;
const update = `mutation ($id: ID!, $input: BackupPlanPatch!, $expectedVersion: Int, $commandId: ID) {
  updateBackupPlan(id: $id, input: $input, expectedVersion: $expectedVersion, commandId: $commandId) { ${fields} } }`;
const pause = `mutation ($id: ID!, $commandId: ID) { pauseBackupPlan(id: $id, commandId: $commandId) { ${fields} } }`;
const resume = `mutation ($id: ID!) { resumeBackupPlan(id: $id) { ${fields} } }`;
const remove = `mutation ($id: ID!, $expectedVersion: Int) { removeBackupPlan(id: $id, expectedVersion: $expectedVersion) { ${fields} } }`;
const read = `query ($id: ID!) { backupPlan(id: $id) { ${fields} } node(id: $id) { __typename id } }`;
const preview = `query ($frequency: String!, $timeZone: String! = "UTC", $count: Int! = 5, $planId: ID) {
  schedulePreview(frequency: $frequency, timeZone: $timeZone, count: $count, planId: $planId) {
    normalized description timeZone runsPerDay notes runs { at local } } }`;

describeWith({ postgresql: await postgresMissing() }, 'backup plans over GraphQL', () => {
  let api: PlanApi;
  let usualDurationMs: number | undefined;
  const now = new Date('2026-03-02T12:00:00.000Z');

  beforeAll(async () => {
    api = await startPlanApi({ now: () => now, usualDurationMs: () => Promise.resolve(usualDurationMs) });
  });
  afterAll(() => api.stop());

  const created = async (changes: object = {}) => {
    const answer = await api.call(create, { input: await api.planInput(changes) });
    if (answer.code !== undefined) throw new Error(`${answer.code}: ${answer.message ?? ''}`);
    return answer.data.createBackupPlan as {
      id: string;
      name: string;
      version: number;
      fileEndpoints: { id: string }[];
    };
  };
  const pathsOf = ({ details }: Answer) => (details.fields as { path: string }[]).map(({ path }) => path);
  const changing = async (work: () => Promise<unknown>) => {
    const before = await api.countEvents();
    await work();
    return (await api.countEvents()) - before;
  };

  test('a plan has defaults, the meaning of its frequency, and its next run', async () => {
    const input = await api.planInput({ name: 'nightly', frequency: '* * 5 * * *' });
    const { data } = await api.call(create, { input });
    expect(data.createBackupPlan).toMatchObject({
      name: 'nightly',
      description: null,
      paused: false,
      maxAttempts: 3,
      catchUpWindow: 'PT12H',
      timeout: null,
      stallTimeout: 'PT10M',
      version: 1,
      removedAt: null,
      nextRunAt: '2026-03-03T05:00:00.000Z',
      viewerActions: ['UPDATE', 'REMOVE', 'BACK_UP'],
      project: { id: api.projectId },
      service: { id: api.serviceId },
      fileEndpoints: (input['fileEndpointIds'] as string[]).map((id) => ({ id })),
      frequency: { typed: '* * 5 * * *', normalized: '0 0 5 * * *', timeZone: 'UTC' },
      retention: { style: 'FILES', period: 7, gfs: null },
    });
    const { id } = data.createBackupPlan as { id: string };
    const { data: again } = await api.call(read, { id });
    expect(again.backupPlan).toEqual(data.createBackupPlan);
    expect(again.node).toEqual({ __typename: 'BackupPlan', id });
  });

  test('a plan has a description: a patch changes it, leaves it unchanged or removes it', async () => {
    const { id } = await created({ description: 'Orders must be restorable for ten years.' });
    const described = async (patch: object) => {
      const { data, code } = await api.call(update, { id, input: patch });
      return code ?? (data.updateBackupPlan as { description: string | null; version: number });
    };
    const before = { description: 'Orders must be restorable for ten years.' };
    expect((await api.call(read, { id })).data.backupPlan).toMatchObject({ ...before, version: 1 });
    expect(await described({ maxAttempts: 4 })).toMatchObject({ ...before, version: 2 });
    expect(await described({ description: 'Ordered by the auditors.' })).toMatchObject({ version: 3 });
    expect(await described({ description: '' })).toBe('BAD_INPUT');
    expect(await described({ description: 'two\nlines' })).toBe('BAD_INPUT');
    expect(await described({ description: 'x'.repeat(1001) })).toBe('BAD_INPUT');
    expect((await api.call(read, { id })).data.backupPlan).toMatchObject({ description: 'Ordered by the auditors.' });
    expect(await described({ description: null })).toMatchObject({ description: null, version: 4 });
    expect(await described({ description: 'x'.repeat(1000) })).toMatchObject({ version: 5 });
    const events = await api.dataSource.query<{ type: string; schema_version: number; changes: object }[]>(
      `SELECT type, schema_version, data -> 'changes' AS changes FROM events WHERE stream_id = $1 ORDER BY version LIMIT 4`,
      [id],
    );
    const updated = { type: 'BackupPlanUpdated', schema_version: 5 };
    expect(events).toEqual([
      { type: 'BackupPlanCreated', schema_version: 5, changes: null },
      { ...updated, changes: { maxAttempts: 4 } },
      { ...updated, changes: { description: 'Ordered by the auditors.' } },
      { ...updated, changes: { description: null } },
    ]);
  });

  test('a plan has a drift threshold: a patch replaces it as a whole, leaves it unchanged or removes it', async () => {
    const wanted = { table: 50, action: 'FAIL', exceptTables: ['shop.queue'] };
    const plan = await created({ driftThreshold: wanted });
    const after = async (input: object) => {
      const { data } = await api.call(update, { id: plan.id, input });
      return (data.updateBackupPlan as { driftThreshold: unknown }).driftThreshold;
    };
    expect(await after({ paused: true })).toEqual({ ...wanted, total: null });
    expect(await after({ driftThreshold: { total: 100, action: 'WARN' } })).toEqual({
      ...{ table: null, total: 100, action: 'WARN', exceptTables: [] },
    });
    expect(await after({ driftThreshold: null })).toBeNull();
    expect(await created()).toMatchObject({ driftThreshold: null });
  });

  test.each([
    [{ action: 'FAIL' }, ['input.driftThreshold']],
    [{ action: 'WARN', table: 0, total: 101 }, ['input.driftThreshold.table', 'input.driftThreshold.total']],
    [{ action: 'WARN', table: 1, exceptTables: ['queue'] }, ['input.driftThreshold.exceptTables.0']],
  ])('the drift threshold %j is refused, and each problem is named', async (driftThreshold, paths) => {
    const answer = await api.call(create, { input: await api.planInput({ driftThreshold }) });
    expect({ code: answer.code, paths: pathsOf(answer) }).toEqual({ code: 'BAD_INPUT', paths });
  });

  test('a plan includes users without passwords, unless it says otherwise', async () => {
    const plan = await created();
    expect(plan).toMatchObject({ includeUsers: 'WITHOUT_PASSWORDS' });
    const after = async (includeUsers: unknown) => {
      const { data } = await api.call(update, { id: plan.id, input: { includeUsers } });
      return (data.updateBackupPlan as { includeUsers: unknown }).includeUsers;
    };
    expect(await after('NONE')).toBe('NONE');
    expect(await after('WITH_PASSWORD_HASHES')).toBe('WITH_PASSWORD_HASHES');
    expect(await after(null)).toBe('WITHOUT_PASSWORDS');
  });

  test('a plan compresses in the balanced way, unless it says otherwise', async () => {
    const plan = await created();
    expect(plan).toMatchObject({ compression: 'BALANCED' });
    const after = async (compression: unknown) => {
      const { data } = await api.call(update, { id: plan.id, input: { compression } });
      return (data.updateBackupPlan as { compression: unknown }).compression;
    };
    expect(await after('FAST')).toBe('FAST');
    expect(await after('SMALL')).toBe('SMALL');
    expect(await after(null)).toBe('BALANCED');
    expect(await created({ compression: 'SMALL' })).toMatchObject({ compression: 'SMALL' });
  });

  test('a plan keeps the order of its file endpoints, in any letter case of their ids', async () => {
    const ids = [await api.createEndpoint(), await api.createEndpoint(), await api.createEndpoint()];
    const backwards = ids.toReversed();
    const plan = await created({ fileEndpointIds: backwards.map((id) => id.toUpperCase()) });
    expect(plan.fileEndpoints).toEqual(backwards.map((id) => ({ id })));
  });

  test('nextRuns lists the next runs in the zone of the plan, and none while it is paused', async () => {
    const { id } = await created({ frequency: '0 30 2 * * *', timeZone: 'Europe/Berlin' });
    const query = 'query ($id: ID!, $count: Int! = 5) { backupPlan(id: $id) { nextRunAt nextRuns(count: $count) } }';
    const { data } = await api.call(query, { id, count: 2 });
    const runs = ['2026-03-03T01:30:00.000Z', '2026-03-04T01:30:00.000Z'];
    expect(data.backupPlan).toEqual({ nextRunAt: runs[0], nextRuns: runs });
    expect((await api.call(query, { id })).data.backupPlan.nextRuns).toHaveLength(5);
    for (const count of [0, 101]) expect(pathsOf(await api.call(query, { id, count }))).toEqual(['count']);
    await api.call(pause, { id });
    expect((await api.call(query, { id })).data.backupPlan).toEqual({ nextRunAt: null, nextRuns: [] });
  });

  test('all problems of a plan are reported at once, by path, and nothing is stored', async () => {
    const fileEndpointIds = [await api.createEndpoint(), randomUUID(), 'no id'];
    const input = await api.planInput({
      name: '',
      description: ' ',
      fileEndpointIds,
      frequency: '0 5 * * *',
      timeZone: 'Mars/Olympus',
      retention: { style: 'DAYS', period: 0 },
      maxAttempts: 11,
      catchUpWindow: 'PT0S',
      timeout: 'P31D',
      stallTimeout: 'PT1S',
    });
    const { id } = await created();
    const { serviceId: _serviceId, ...patch } = input;
    const before = await api.countEvents();
    const answer = await api.call(create, { input, commandId: 'no id' });
    expect(answer.code).toBe('BAD_INPUT');
    expect(pathsOf(answer).toSorted()).toEqual([
      'commandId',
      'input.catchUpWindow',
      'input.description',
      'input.fileEndpointIds.1',
      'input.fileEndpointIds.2',
      'input.frequency',
      'input.maxAttempts',
      'input.name',
      'input.retention.period',
      'input.stallTimeout',
      'input.timeZone',
      'input.timeout',
    ]);
    expect(pathsOf(await api.call(update, { id, input: patch }))).toHaveLength(11);
    expect(await api.countEvents()).toBe(before);
  });

  test.each([
    ['five fields', '0 5 * * *', /six/i],
    ['3,600 runs an hour', '* * * * * *', /every|write|hour/i],
    ['sixty runs by accident', '0 * 5 * * *', /0 0 5 \* \* \*/],
    ['runs closer than a minute', '*/20 * * * * *', /20 s apart/],
    ['a day that never comes', '0 0 0 30 2 *', /never/],
    ['a range that wraps', '0 0 22-3 * * *', /22,23,0,1,2,3/],
    ['more than a kilobyte', `0 0 ${'5,'.repeat(600)}5 * * *`, /longer/],
  ])('a frequency with %s is refused, and a hint shows what to write instead', async (_what, frequency, hint) => {
    const answer = await api.call(create, { input: await api.planInput({ frequency }) });
    expect(answer.code).toBe('BAD_INPUT');
    expect(pathsOf(answer)).toEqual(['input.frequency']);
    expect(JSON.stringify(answer.details.fields)).toMatch(hint);
  });

  test.each([
    ['no endpoint', []],
    ['more than ten endpoints', Array.from({ length: 11 }, () => randomUUID())],
    ['the same endpoint twice', ['6a1f6f0e-5a0b-4c9e-9a57-0d3b5d1f2c47', '6A1F6F0E-5A0B-4C9E-9A57-0D3B5D1F2C47']],
  ])('a plan with %s is refused', async (_what, fileEndpointIds) => {
    const answer = await api.call(create, { input: await api.planInput({ fileEndpointIds }) });
    expect(pathsOf(answer)).toContain('input.fileEndpointIds');
  });

  test.each([
    ['a period of 0', { style: 'FILES', period: 0 }],
    ['a negative period', { style: 'DAYS', period: -1 }],
    ['a period beyond 10,000', { style: 'MONTHS', period: 1_000_000_000 }],
    ['no period', { style: 'WEEKS' }],
  ])('retention with %s is refused', async (_what, retention) => {
    const answer = await api.call(create, { input: await api.planInput({ retention }) });
    expect(answer.code).toBe('BAD_INPUT');
    expect(pathsOf(answer)).toEqual(['input.retention.period']);
  });

  test('retention by GFS keeps its counts and no period, also if a plan is changed to it and back', async () => {
    const counts = { hourly: 0, daily: 7, weekly: 4, monthly: 12, yearly: 0 };
    const gfs = { style: 'GFS', gfs: { daily: 7, weekly: 4, monthly: 12 } };
    const fields = 'retention { style period gfs { hourly daily weekly monthly yearly } }';
    const query = `query ($id: ID!) { backupPlan(id: $id) { ${fields} } }`;
    const shown = async (id: string) => {
      const { data } = await api.call(query, { id });
      return (data['backupPlan'] as { retention: unknown }).retention;
    };
    const { id } = await created({ retention: gfs });
    expect(await shown(id)).toEqual({ style: 'GFS', period: null, gfs: counts });
    expect((await api.call(update, { id, input: { retention: { style: 'DAYS', period: 3 } } })).code).toBeUndefined();
    expect(await shown(id)).toEqual({ style: 'DAYS', period: 3, gfs: null });
    expect((await api.call(update, { id, input: { retention: { ...gfs, period: null } } })).code).toBeUndefined();
    expect(await shown(id)).toEqual({ style: 'GFS', period: null, gfs: counts });
  });

  test.each([
    ['no counts', { style: 'GFS' }, ['gfs']],
    ['counts that are all 0', { style: 'GFS', gfs: { daily: 0 } }, ['gfs']],
    ['a negative count', { style: 'GFS', gfs: { daily: -1 } }, ['gfs.daily']],
    ['counts beyond 10,000', { style: 'GFS', gfs: { daily: 7, yearly: 10_001 } }, ['gfs.yearly']],
    ['a period', { style: 'GFS', period: 7, gfs: { daily: 7 } }, ['period']],
  ])('retention by GFS with %s is refused', async (_what, retention, places) => {
    const paths = places.map((place) => `input.retention.${place}`);
    const answer = await api.call(create, { input: await api.planInput({ retention }) });
    expect([answer.code, pathsOf(answer)]).toEqual(['BAD_INPUT', paths]);
    const { id } = await created();
    const changed = await api.call(update, { id, input: { retention } });
    expect([changed.code, pathsOf(changed)]).toEqual(['BAD_INPUT', paths]);
  });

  test('an endpoint of another project, a removed and an unknown one are refused with the same message', async () => {
    const foreign = await api.createEndpoint(await api.createProject('Other'));
    const removed = await api.createEndpoint();
    await api.call('mutation ($id: ID!) { removeFileEndpoint(id: $id) { id } }', { id: removed });
    const { id: planId } = await created();
    const refusals: unknown[] = [];
    for (const id of [foreign, removed, randomUUID()]) {
      const fileEndpointIds = [await api.createEndpoint(), id];
      const answers = [
        await api.call(create, { input: await api.planInput({ fileEndpointIds }) }),
        await api.call(update, { id: planId, input: { fileEndpointIds } }),
      ];
      refusals.push(...answers.map(({ code, details }) => ({ code, details: details as unknown })));
    }
    expect(refusals[0]).toMatchObject({
      code: 'BAD_INPUT',
      details: { fields: [{ path: 'input.fileEndpointIds.1', problem: 'names no file endpoint of this project' }] },
    });
    for (const refusal of refusals) expect(refusal).toEqual(refusals[0]);
  });

  test('a service that is unknown, removed or in an invisible project is not found', async () => {
    const removed = await api.createService();
    await api.call('mutation ($id: ID!) { removeService(id: $id) { id } }', { id: removed });
    for (const serviceId of [randomUUID(), 'no id', removed]) {
      expect((await api.call(create, { input: await api.planInput({ serviceId }) })).code).toBe('NOT_FOUND');
    }
    const stranger = memberOf(randomUUID(), 'ADMIN');
    expect((await api.call(create, { input: await api.planInput() }, stranger)).code).toBe('NOT_FOUND');
  });

  test('a name is unique only within its project, and free again after a rename or removal', async () => {
    const plan = await created();
    expect((await api.call(create, { input: await api.planInput({ name: plan.name }) })).code).toBe('CONFLICT');
    const other = await created();
    expect((await api.call(update, { id: other.id, input: { name: plan.name } })).code).toBe('CONFLICT');

    const projectId = await api.createProject('Elsewhere');
    const [serviceId, endpointId] = [await api.createService(projectId), await api.createEndpoint(projectId)];
    await created({ name: plan.name, serviceId, fileEndpointIds: [endpointId] });

    await api.call(update, { id: plan.id, input: { name: `${plan.name} 2` } });
    await api.call(update, { id: other.id, input: { name: plan.name } });
    await api.call(remove, { id: other.id });
    expect((await created({ name: plan.name })).name).toBe(plan.name);
  });

  test('a patch changes only its own fields, and no event is recorded if nothing changes', async () => {
    const plan = await created({ timeout: 'PT2H', catchUpWindow: 'PT3H' });
    const { data } = await api.call(update, { id: plan.id, input: { frequency: '@hourly', maxAttempts: 5 } });
    const { version: _version, fileEndpoints } = plan;
    expect(data.updateBackupPlan).toMatchObject({
      name: plan.name,
      fileEndpoints,
      frequency: { typed: '@hourly', normalized: '0 0 * * * *' },
      maxAttempts: 5,
      timeout: 'PT2H',
      catchUpWindow: 'PT3H',
      nextRunAt: '2026-03-02T13:00:00.000Z',
      version: 2,
    });
    expect(await changing(() => api.call(update, { id: plan.id, input: { maxAttempts: 5, name: plan.name } }))).toBe(0);
  });

  test('null in a patch sets the default, and is refused if there is no default', async () => {
    const { id } = await created({
      ...{ timeZone: 'Europe/Berlin', paused: true, maxAttempts: 7 },
      ...{ catchUpWindow: 'PT3H', timeout: 'PT2H', stallTimeout: 'PT1M' },
    });
    const nulls = { timeZone: null, paused: null, maxAttempts: null, catchUpWindow: null, timeout: null };
    const { data } = await api.call(update, { id, input: { ...nulls, stallTimeout: null } });
    expect(data.updateBackupPlan).toMatchObject({
      frequency: { timeZone: 'UTC' },
      ...{ paused: false, maxAttempts: 3, catchUpWindow: 'PT12H', timeout: null, stallTimeout: 'PT10M' },
    });
    const input = { name: null, fileEndpointIds: null, frequency: null, retention: null };
    const answer = await api.call(update, { id, input });
    expect(pathsOf(answer)).toEqual(Object.keys(input).map((field) => `input.${field}`));
  });

  test('if two people change frequency and zone at the same time, both changes are kept', async () => {
    const { id } = await created();
    const answers = await Promise.all([
      api.call(update, { id, input: { frequency: '0 0 6 * * *' } }),
      api.call(update, { id, input: { timeZone: 'Europe/Berlin' } }),
      api.call(update, { id, input: { maxAttempts: 9 } }),
    ]);
    expect(answers.map(({ code }) => code)).toEqual([undefined, undefined, undefined]);
    const { data } = await api.call(read, { id });
    expect(data.backupPlan).toMatchObject({
      frequency: { normalized: '0 0 6 * * *', timeZone: 'Europe/Berlin' },
      maxAttempts: 9,
    });
  });

  test('a zone is checked together with the frequency that the plan has', async () => {
    const { id } = await created();
    expect(pathsOf(await api.call(update, { id, input: { timeZone: 'CEST' } }))).toEqual(['input.timeZone']);
  });

  test('expectedVersion refuses a change after another change, with both versions', async () => {
    const { id } = await created();
    await api.call(update, { id, input: { maxAttempts: 2 }, expectedVersion: 1 });
    const stale = { code: 'CONFLICT', details: { expectedVersion: 1, actualVersion: 2 } };
    expect(await api.call(update, { id, input: { maxAttempts: 4 }, expectedVersion: 1 })).toMatchObject(stale);
    expect(await api.call(remove, { id, expectedVersion: 1 })).toMatchObject(stale);
    expect((await api.call(remove, { id, expectedVersion: 2 })).code).toBeUndefined();
  });

  test('the same commandId returns the first result and appends nothing; with another input it is a mismatch', async () => {
    const [commandId, input] = [randomUUID(), await api.planInput()];
    const first = await api.call(create, { input, commandId });
    const { id } = first.data.createBackupPlan as { id: string };
    expect(await changing(() => api.call(create, { input, commandId }))).toBe(0);
    expect((await api.call(create, { input: { ...input, maxAttempts: 4 }, commandId })).code).toBe(
      'IDEMPOTENCY_MISMATCH',
    );
    const again = randomUUID();
    const patch = { id, input: { maxAttempts: 5 }, commandId: again };
    await api.call(update, patch);
    await api.call(update, { id, input: { maxAttempts: 6 } });
    expect(await changing(() => api.call(update, patch))).toBe(0);
    expect((await api.call(read, { id })).data.backupPlan.maxAttempts).toBe(6);
  });

  test('a command that is repeated after the removal of plan and service still returns the first result', async () => {
    const serviceId = await api.createService();
    const [commandId, input] = [randomUUID(), await api.planInput({ serviceId })];
    const { data } = await api.call(create, { input, commandId });
    const { id } = data.createBackupPlan as { id: string };
    await api.call(remove, { id });
    await api.call('mutation ($id: ID!) { removeService(id: $id) { id } }', { id: serviceId });
    const again = await api.call(create, { input, commandId });
    expect(again.data.createBackupPlan).toMatchObject({ id, removedAt: now.toISOString() });
  });

  test('pausing and resuming can be repeated, and records only changes', async () => {
    const { id } = await created();
    expect((await api.call(pause, { id })).data.pauseBackupPlan).toMatchObject({ paused: true, version: 2 });
    expect(await changing(() => api.call(pause, { id }))).toBe(0);
    const { data } = await api.call(resume, { id });
    expect(data.resumeBackupPlan).toMatchObject({ paused: false, nextRunAt: '2026-03-03T05:00:00.000Z' });
    expect(await changing(() => api.call(resume, { id }))).toBe(0);
    const { data: patched } = await api.call(update, { id, input: { paused: true, maxAttempts: 2 } });
    expect(patched.updateBackupPlan).toMatchObject({ paused: true, maxAttempts: 2, version: 5 });
  });

  test('a removed plan can be found by its id, is not in lists, and cannot be changed', async () => {
    const { id } = await created();
    const { data } = await api.call(remove, { id });
    expect(data.removeBackupPlan).toMatchObject({ removedAt: now.toISOString(), viewerActions: [], nextRunAt: null });
    expect((await api.call(read, { id })).data).toMatchObject({ backupPlan: { id }, node: { id } });
    const lists = `query ($serviceId: ID!) { backupPlans(serviceId: $serviceId, first: 200) { nodes { id } }
      service(id: $serviceId) { plans(first: 200) { nodes { id } } } }`;
    const { data: listed } = await api.call(lists, { serviceId: api.serviceId });
    const ids = [...listed.backupPlans.nodes, ...listed.service.plans.nodes].map((node: { id: string }) => node.id);
    expect(ids.length).toBeGreaterThan(0);
    expect(ids).not.toContain(id);
    expect((await api.call(update, { id, input: { name: 'x' } })).code).toBe('CONFLICT');
    expect((await api.call(resume, { id })).code).toBe('CONFLICT');
    expect(await changing(() => api.call(remove, { id }))).toBe(0);
  });

  test('service and file endpoints cannot be removed while a plan uses them', async () => {
    const serviceId = await api.createService();
    const [first, second] = [await api.createEndpoint(), await api.createEndpoint()];
    const { id } = await created({ serviceId, fileEndpointIds: [first, second] });
    const removeService = () => api.call('mutation ($id: ID!) { removeService(id: $id) { id } }', { id: serviceId });
    const removeEndpoint = (endpointId: string) =>
      api.call('mutation ($id: ID!) { removeFileEndpoint(id: $id) { id } }', { id: endpointId });
    expect((await removeService()).code).toBe('SERVICE_IN_USE');
    expect((await removeEndpoint(first)).code).toBe('ENDPOINT_IN_USE');

    await api.call(update, { id, input: { fileEndpointIds: [second] } });
    expect((await removeEndpoint(first)).code).toBeUndefined();
    expect((await removeEndpoint(second)).code).toBe('ENDPOINT_IN_USE');

    await api.call(remove, { id });
    expect((await removeEndpoint(second)).code).toBeUndefined();
    expect((await removeService()).code).toBeUndefined();
  });

  test('the plans of a service are paged, newest first', async () => {
    const serviceId = await api.createService();
    const ids: string[] = [];
    for (let count = 0; count < 5; count += 1) ids.push((await created({ serviceId })).id);
    const query = `query ($serviceId: ID!, $after: String) { service(id: $serviceId) {
      plans(first: 2, after: $after) { nodes { id } totalCount pageInfo { hasNextPage endCursor } } } }`;
    const seen: string[] = [];
    for (let after: string | null = null, more = true; more;) {
      const { data } = await api.call(query, { serviceId, after });
      const { nodes, totalCount, pageInfo } = data.service.plans as {
        nodes: { id: string }[];
        totalCount: number;
        pageInfo: { hasNextPage: boolean; endCursor: string };
      };
      expect(totalCount).toBe(5);
      seen.push(...nodes.map((node) => node.id));
      [after, more] = [pageInfo.endCursor, pageInfo.hasNextPage];
    }
    // All plans were created at one instant, so the id decides.
    expect(seen).toEqual(ids.toSorted().toReversed());
  });

  test('a member sees only the plans of the own project', async () => {
    const { id } = await created();
    const viewer = memberOf(api.projectId, 'VIEWER');
    const stranger = memberOf(randomUUID(), 'ADMIN');
    const list = '{ backupPlans(first: 200) { nodes { id } totalCount } }';
    expect((await api.call(read, { id }, viewer)).data.backupPlan).toMatchObject({ id, viewerActions: [] });
    expect((await api.call(read, { id }, stranger)).data).toEqual({ backupPlan: null, node: null });
    expect((await api.call(list, {}, stranger)).data.backupPlans).toEqual({ nodes: [], totalCount: 0 });
    expect((await api.call(list, {}, viewer)).data.backupPlans.nodes).toContainEqual({ id });
    for (const source of [pause, remove]) {
      expect((await api.call(source, { id }, stranger)).code).toBe('NOT_FOUND');
      expect((await api.call(source, { id }, viewer)).code).toBe('FORBIDDEN');
    }
  });

  test('only an admin may change, pause and remove a plan, and viewerActions shows this', async () => {
    const { id } = await created();
    const [operator, admin] = [memberOf(api.projectId, 'OPERATOR'), memberOf(api.projectId, 'ADMIN')];
    const shown = await api.call('query ($id: ID!) { backupPlan(id: $id) { viewerActions } }', { id }, operator);
    expect(shown.data.backupPlan.viewerActions).toEqual(['BACK_UP']);
    for (const source of [pause, remove]) expect((await api.call(source, { id }, operator)).code).toBe('FORBIDDEN');
    const { data } = await api.call(pause, { id }, admin);
    expect(data.pauseBackupPlan.viewerActions).toEqual(['UPDATE', 'REMOVE', 'BACK_UP']);
    expect((await api.call(remove, { id }, admin)).code).toBeUndefined();
  });

  test('schedulePreview shows the runs of a frequency, and refuses every frequency that a plan refuses', async () => {
    const { data } = await api.call(preview, { frequency: '* * */5 * * *', timeZone: 'Europe/Berlin', count: 2 });
    expect(data.schedulePreview).toMatchObject({
      normalized: '0 0 */5 * * *',
      timeZone: 'Europe/Berlin',
      runsPerDay: 5,
      runs: [
        { at: '2026-03-02T14:00:00.000Z', local: '2026-03-02T15:00:00+01:00' },
        { at: '2026-03-02T19:00:00.000Z', local: '2026-03-02T20:00:00+01:00' },
      ],
    });
    expect(data.schedulePreview.notes.length).toBeGreaterThan(0);
    expect(pathsOf(await api.call(preview, { frequency: '*/20 * * * * *' }))).toEqual(['frequency']);
    expect(pathsOf(await api.call(preview, { frequency: '@daily', timeZone: 'Mars' }))).toEqual(['timeZone']);
  });

  test('schedulePreview of a plan notes that its backups take longer than the time between two runs', async () => {
    const { id: planId } = await created();
    const input = { frequency: '@hourly', planId };
    const without = (await api.call(preview, input)).data.schedulePreview.notes as string[];
    usualDurationMs = 2 * 3_600_000;
    const notes = (await api.call(preview, input)).data.schedulePreview.notes as string[];
    usualDurationMs = undefined;
    expect(notes.length).toBe(without.length + 1);
    expect((await api.call(preview, input, memberOf(randomUUID(), 'ADMIN'))).code).toBe('NOT_FOUND');
  });
});
