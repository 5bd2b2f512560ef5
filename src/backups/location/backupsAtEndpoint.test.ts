import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { beginAttempt } from '../../../test/fixtures/attempts.js';
import { executeCommands } from '../../../test/fixtures/backupJobs.js';
import { postgresMissing } from '../../../test/fixtures/servers/postgres.js';
import { describeWith } from '../../../test/fixtures/requirements.js';
import { startWorkerHarness, type WorkerHarness } from '../../../test/fixtures/workerHarness.js';
import { newestBackupFolders } from './backupsAtEndpoint.js';

describeWith({ postgresql: await postgresMissing() }, 'The backups at a file endpoint', () => {
  let harness: WorkerHarness;
  beforeAll(async () => {
    harness = await startWorkerHarness();
  });
  afterAll(() => harness.stop());

  test('are represented by the newest stored backup of each prefix that no audit has reported missing', async () => {
    const [here, elsewhere] = [await harness.addFolder({ path: 'here' }), await harness.addFolder({ path: 'else' })];
    const at = new Date().toISOString();
    const backup = async (fileEndpointId: string, prefix: string) => {
      const attempt = await beginAttempt(harness, fileEndpointId, prefix);
      await attempt.succeed();
      return attempt;
    };
    const execute = ({ id }: { readonly id: string }, ...commands: Parameters<typeof executeCommands>[2][]) =>
      executeCommands(harness, { id, projectId: harness.projectId }, ...commands);

    await backup(here, '');
    const newest = await backup(here, '');
    await backup(here, 'team/a/');
    const newestOfTeam = await backup(here, 'team/a/');
    await execute(await backup(here, ''), { kind: 'REPORT_ABSENT', at });
    await execute(await backup(here, ''), { kind: 'DECIDE_DELETION', reason: 'BY_HAND', by: 'a person', at });
    await backup(elsewhere, '');
    await beginAttempt(harness, here);

    const folders = await newestBackupFolders(harness.dataSource.manager, here);
    expect(folders.toSorted()).toEqual([newest.folder, newestOfTeam.folder].toSorted());
  });
});
