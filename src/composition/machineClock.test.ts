/** Machines whose clocks are wrong by a day, with a PostgreSQL whose clock is right. */
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { setMachineClockAhead } from '../../test/fixtures/machineClock.js';
import { postgresMissing } from '../../test/fixtures/servers/postgres.js';
import { describeWith } from '../../test/fixtures/requirements.js';
import { settleProject, type SettledProject } from '../../test/fixtures/settledProject.js';
import { until } from '../../test/fixtures/until.js';
import { startWholeApi, type WholeApi } from '../../test/fixtures/api/wholeApi.js';
import { BackupJobTable } from '../backups/backupJobView.js';
import { BackupPlanTable } from '../plans/backupPlanView.js';
import { serverMs } from '../postgres/serverClock.js';

const dayMs = 86_400_000;
const createPlan = 'mutation ($input: BackupPlanInput!) { createBackupPlan(input: $input) { id } }';
const startBackup = 'mutation ($input: StartBackupInput!) { startBackup(input: $input) { jobs { id } } }';

describeWith({ postgresql: await postgresMissing() }, 'an API on a machine whose clock is wrong', () => {
  let api: WholeApi;
  let project: SettledProject;
  let setRight: () => void = () => undefined;

  beforeAll(async () => {
    api = await startWholeApi();
    project = await settleProject(api, 'harbour', 3306);
    // The alarm of this plan can fire only once a year, so it does not disturb the test.
    await api.post('mutation ($id: ID!) { removeBackupPlan(id: $id) { id } }', { id: project.planId });
  });
  afterEach(() => setRight());
  afterAll(() => api.stop());

  /** A full hour between 11 and 12 hours from now. */
  const farAway = async () => {
    const hour = new Date(await serverMs(api.shared.dataSource)).getUTCHours();
    return `0 0 ${(hour + 12) % 24} * * *`;
  };
  const plan = async (name: string, frequency: string): Promise<string> => {
    const { serviceId, fileEndpointId } = project;
    const retention = { style: 'FILES', period: 7 };
    const input = { serviceId, name, fileEndpointIds: [fileEndpointId], frequency, retention };
    const { data, text } = await api.post(createPlan, { input });
    const { createBackupPlan: made } = (data ?? {}) as { createBackupPlan?: { id: string } };
    if (made === undefined) throw new Error(text);
    return made.id;
  };

  test('ahead by a day runs no tick before its time, and reports none as missed', async () => {
    const frequency = await farAway();
    setRight = setMachineClockAhead(dayMs);
    const planId = await plan('early', frequency);
    const events = async () => (await api.shared.store.read({ streamId: planId })).map(({ type }) => type);
    const hasRung = async () =>
      api.logged.some((line) => line.includes('before their time') && line.includes(planId)) ||
      (await events()).length > 1;
    await until(hasRung, 'the alarm has fired', 120_000);
    expect(await events()).toEqual(['BackupPlanCreated']);
    expect(await api.shared.dataSource.manager.countBy(BackupJobTable, { planId })).toBe(0);
  });

  test.each([
    ['ahead', dayMs],
    ['behind', -dayMs],
  ])('by a day (%s) begins schedules and queues backups with the time of PostgreSQL', async (way, ms) => {
    const began = await serverMs(api.shared.dataSource);
    const frequency = await farAway();
    setRight = setMachineClockAhead(ms);
    const planId = await plan(way, frequency);
    const { data } = await api.post(startBackup, { input: { planId } });
    setRight();
    const ended = await serverMs(api.shared.dataSource);
    const { manager } = api.shared.dataSource;
    const [id] = (data?.startBackup.jobs as { id: string }[]).map((job) => job.id);
    const { scheduledSince } = await manager.findOneByOrFail(BackupPlanTable, { id: planId });
    const { queuedAt } = await manager.findOneByOrFail(BackupJobTable, { id: String(id) });
    for (const time of [scheduledSince, queuedAt]) {
      // The clock may be slightly behind PostgreSQL, by the duration of the last answer.
      expect(time.getTime()).toBeGreaterThan(began - 60_000);
      expect(time.getTime()).toBeLessThanOrEqual(ended + 1);
    }
  });
});
