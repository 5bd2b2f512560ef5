/**
 * Several processes may decide about one destination at the same time. No decision may delete a backup that another
 * decision relied on.
 */
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { postgresMissing } from '../../../test/fixtures/servers/postgres.js';
import { describeWith } from '../../../test/fixtures/requirements.js';
import { settledFolder, settleProject, type SettledProject } from '../../../test/fixtures/settledProject.js';
import { storeBackup, type Harbour } from '../../../test/fixtures/storedBackups.js';
import { startWholeApi, type HttpAnswer, type WholeApi } from '../../../test/fixtures/api/wholeApi.js';
import { replacing } from '../../../test/fixtures/workerHarness.js';
import { openFileEndpoint } from '../../endpoints/openFileEndpoint.js';
import { openLog } from '../../log.js';
import { applyRetention } from './retentionRun.js';

const rounds = 30;
const roundsAtOnce = 5;
const remove = 'mutation ($id: ID!) { deleteBackup(id: $id) { id } }';
const hold = 'mutation ($id: ID!) { holdBackup(id: $id, reason: "audit") { id } }';
const restore = `mutation ($id: ID!, $serviceId: ID!) {
  startRestore(input: { backupJobId: $id, target: { asNew: { serviceId: $serviceId } } }) { id } }`;
const update = `mutation ($id: ID!, $retention: RetentionInput!) {
  updateBackupPlan(id: $id, input: { retention: $retention }) { id } }`;
const removePlan = 'mutation ($id: ID!) { removeBackupPlan(id: $id) { id } }';
const createPlan = 'mutation ($input: BackupPlanInput!) { createBackupPlan(input: $input) { id } }';

describeWith({ postgresql: await postgresMissing() }, 'when several decide at the same time', () => {
  let api: WholeApi;
  let project: SettledProject;
  beforeAll(async () => {
    api = await startWholeApi();
    project = await settleProject(api, 'harbour', 9);
  });
  afterAll(() => api.stop());

  /** A plan that keeps `keeps` files, with `count` daily backups, the oldest first. */
  async function destination(keeps: number, count: number) {
    const { projectId, serviceId, fileEndpointId } = project;
    const retention = { style: 'FILES', period: keeps };
    const plan = {
      serviceId,
      name: randomUUID(),
      fileEndpointIds: [fileEndpointId],
      frequency: '0 0 5 1 1 *',
      retention,
    };
    const planId = (await api.post(createPlan, { input: plan })).data.createBackupPlan.id as string;
    const folder = settledFolder(api, project, 'backups');
    const harbour: Harbour = { projectId, serviceId, planId, fileEndpointId, folder };
    const ids: string[] = [];
    for (let day = 1; day <= count; day += 1) {
      ids.push((await storeBackup(api.shared, harbour, new Date(Date.UTC(2026, 5, day)))).id);
    }
    return { planId, ids: ids as [string, ...string[]], sweep: () => sweep(planId, fileEndpointId) };
  }

  const pause = () => new Promise((resolve) => setTimeout(resolve, Math.random() * 12));

  /** The sweep of a worker after a success, with a slow container. */
  async function sweep(planId: string, fileEndpointId: string): Promise<readonly string[]> {
    const tools = {
      ...api.shared,
      log: openLog('json', 'error', { write: () => undefined }),
      storageOf: async (id: string) => {
        const opened = await openFileEndpoint(api.shared, id);
        const storage = replacing(opened.storage, {
          head: (name, options) => pause().then(() => opened.storage.head(name, options)),
        });
        return { ...opened, storage };
      },
    };
    await pause();
    return applyRetention(tools, { planId, fileEndpointId }, AbortSignal.timeout(120_000));
  }
  const codeOf = async (query: string, variables: object): Promise<string> => {
    await pause();
    const { errors }: HttpAnswer = await api.post(query, variables);
    return errors[0]?.extensions.code ?? 'DONE';
  };

  const eventsOf = (streamId: string) => api.shared.store.read({ streamId });
  const storedAmong = async (ids: readonly string[]) => {
    const query = 'query ($ids: [ID!]!) { nodes(ids: $ids) { ... on BackupJob { id availability } } }';
    const nodes = (await api.post(query, { ids })).data.nodes as { id: string; availability: string }[];
    return nodes.filter(({ availability }) => availability === 'STORED').map(({ id }) => id);
  };
  const deletionDecisions = async (id: string) =>
    (await eventsOf(id)).filter(({ type }) => type === 'BackupDeletionDecided');

  async function inRounds(round: () => Promise<string>): Promise<ReadonlySet<string>> {
    const outcomes: string[] = [];
    for (let number = 0; number < rounds; number += roundsAtOnce) {
      outcomes.push(...(await Promise.all(Array.from({ length: roundsAtOnce }, round))));
    }
    return new Set(outcomes);
  }

  test('two sweeps delete each backup once, and keep the others', async () => {
    await inRounds(async () => {
      const { ids, sweep } = await destination(2, 4);
      const going = await Promise.all([sweep(), sweep()]);
      expect([...new Set(going.flat())].sort()).toEqual(ids.slice(0, 2).sort());
      expect(await storedAmong(ids)).toEqual(ids.slice(2));
      for (const id of ids.slice(0, 2)) expect(await deletionDecisions(id)).toHaveLength(1);
      return '';
    });
  });

  test('a restore reserves its backup, or is refused because the backup is deleted', async () => {
    const outcomes = await inRounds(async () => {
      const { ids, sweep } = await destination(1, 2);
      const [id] = ids;
      const [answer] = await Promise.all([codeOf(restore, { id, serviceId: project.idleServiceId }), sweep()]);
      expect(await storedAmong([id])).toEqual(answer === 'DONE' ? [id] : []);
      const types = (await eventsOf(id)).map(({ type }) => type);
      expect(types.includes('BackupReserved')).toBe(!types.includes('BackupDeletionDecided'));
      return answer;
    });
    expect([...outcomes].every((each) => ['DONE', 'CONFLICT'].includes(each))).toBe(true);
  });

  test('a hold takes effect, or is refused because the backup is deleted', async () => {
    const outcomes = await inRounds(async () => {
      const { ids, sweep } = await destination(1, 2);
      const [id] = ids;
      const [answer] = await Promise.all([codeOf(hold, { id }), sweep()]);
      expect(await storedAmong([id])).toEqual(answer === 'DONE' ? [id] : []);
      const types = (await eventsOf(id)).map(({ type }) => type);
      expect(types.includes('BackupHeld')).toBe(!types.includes('BackupDeletionDecided'));
      return answer;
    });
    expect([...outcomes].every((each) => ['DONE', 'CONFLICT'].includes(each))).toBe(true);
  });

  test("one of two manual deletions that rely on each other's backup is refused", async () => {
    await inRounds(async () => {
      const { ids } = await destination(7, 2);
      const answers = await Promise.all(ids.map((id) => codeOf(remove, { id })));
      expect(answers.toSorted()).toEqual(['CONFLICT', 'DONE']);
      expect(await storedAmong(ids)).toHaveLength(1);
      return '';
    });
  });

  test('at least one backup stays after three manual deletions in any order', async () => {
    await inRounds(async () => {
      const { ids } = await destination(7, 3);
      await Promise.all(ids.map((id) => codeOf(remove, { id })));
      expect((await storedAmong(ids)).length).toBeGreaterThanOrEqual(1);
      return '';
    });
  });

  test('a manual deletion of the backup that a sweep relies on keeps the other one', async () => {
    await inRounds(async () => {
      const { ids, sweep } = await destination(1, 2);
      const [answer, going] = await Promise.all([codeOf(remove, { id: ids.at(-1) }), sweep()]);
      expect(await storedAmong(ids)).toHaveLength(1);
      expect(answer).toBe(going.length === 0 ? 'DONE' : 'CONFLICT');
      return answer;
    });
  });

  test.each([
    ['changed to keep more', update, { retention: { style: 'FILES', period: 5 } }],
    ['removed', removePlan, {}],
  ])('after a plan is %s, no decision uses its earlier content', async (_what, mutation, variables) => {
    await inRounds(async () => {
      const { planId, ids, sweep } = await destination(1, 4);
      const [answer, going] = await Promise.all([codeOf(mutation, { id: planId, ...variables }), sweep()]);
      expect(answer).toBe('DONE');
      const changedAt = (await eventsOf(planId)).at(-1)?.position ?? 0n;
      for (const id of going) {
        for (const { position } of await deletionDecisions(id)) expect(position < changedAt).toBe(true);
      }
      expect(await storedAmong(ids)).toEqual(ids.slice(going.length));
      expect([0, 3]).toContain(going.length);
      return '';
    });
  });
});
