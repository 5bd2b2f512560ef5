import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { postgresMissing } from '../../test/fixtures/postgres.js';
import { describeWith } from '../../test/fixtures/requirements.js';
import { settleProject, type SettledProject } from '../../test/fixtures/settledProject.js';
import { startWholeApi, type WholeApi } from '../../test/fixtures/wholeApi.js';

const everything = `
  id trigger batchId requestedBy status availability phase scheduledFor queuedAt startedAt finishedAt executionTime
  message attempt size storedSize inventory warnings encrypted verifiedAt verifiedLevel expectedDeletionAt viewerActions
  version project { id } service { id } plan { id } fileEndpoint { id } retryOf { id } skippedFor { id }
  error { code message hint toolOutput retriable }
  attempts { number worker startedAt finishedAt outcome error { code } }
  progress { id readBytes } parts { name objectName size storedSize checksum restoreByHand }
  inventorySummary { serverVersion tables } hold { reason by at } restores { nodes { id } }`;

describeWith({ postgresql: await postgresMissing() }, 'backup jobs over GraphQL', () => {
  let api: WholeApi;
  let settled: SettledProject;
  let other: SettledProject;

  beforeAll(async () => {
    api = await startWholeApi();
    settled = await settleProject(api, 'harbour', 3306);
    other = await settleProject(api, 'elsewhere', 3306);
  }, 120_000);
  afterAll(() => api.stop());

  test('a job answers every field', async () => {
    const query = `query ($id: ID!) { backupJob(id: $id) { ${everything} } node(id: $id) { id } }`;
    const { data, errors } = await api.post(query, { id: settled.readJobId });
    expect(errors).toEqual([]);
    expect(data.node).toEqual({ id: settled.readJobId });
    expect(data.backupJob).toMatchObject({
      status: 'SUCCEEDED',
      availability: 'STORED',
      executionTime: 'PT0S',
      attempt: 1,
      viewerActions: ['RESTORE'],
      restores: { nodes: [{ id: settled.restoreJobId }] },
      encrypted: false,
      message: 'Stored 1 B of dump in 1 B.',
    });
  });

  test('whatever else tells of backups answers', async () => {
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

  test('starting a plan makes one job for each destination, which can be cancelled and retried', async () => {
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
});
