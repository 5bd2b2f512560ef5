import { randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { queuedJob, started, executeCommands } from '../../test/fixtures/backupJobs.js';
import { GraphqlUser } from '../../test/fixtures/api/graphqlUser.js';
import { postgresMissing } from '../../test/fixtures/servers/postgres.js';
import { describeWith } from '../../test/fixtures/requirements.js';
import { settleProject, type SettledProject } from '../../test/fixtures/settledProject.js';
import { memberOf } from '../../test/fixtures/api/sliceApi.js';
import { installationToken, startWholeApi, type WholeApi } from '../../test/fixtures/api/wholeApi.js';
import { eventsSince } from './eventsSince.js';

type Told = { id: string; position: string; type: string; streamType: string; version: number };

const limitMs = 120_000;

describeWith({ postgresql: await postgresMissing() }, 'the log over GraphQL', () => {
  let api: WholeApi;
  let settled: SettledProject;
  let other: SettledProject;
  const users: GraphqlUser[] = [];

  beforeAll(async () => {
    api = await startWholeApi();
    settled = await settleProject(api, 'harbour', 3306);
    other = await settleProject(api, 'elsewhere', 3306);
  });
  afterEach(async () => {
    for (const user of users.splice(0)) await user.close();
  });
  afterAll(() => api.stop());

  const follow = (variables: object, token = installationToken) => {
    const user = new GraphqlUser(api.url, token);
    users.push(user);
    const query = `subscription ($projectId: ID, $after: Position, $streamTypes: [String!]) {
      events(projectId: $projectId, after: $after, streamTypes: $streamTypes) { id position type streamType version } }`;
    return user.subscribe<Told>('events', query, { ...variables });
  };
  const list = `query ($projectId: ID, $streamId: ID, $first: Int! = 50, $after: String) {
    events(projectId: $projectId, streamId: $streamId, first: $first, after: $after) {
      edges { cursor node { id position type } } totalCount pageInfo { hasNextPage endCursor } } }`;
  const queued = () =>
    queuedJob(api.shared, settled.projectId, {
      serviceId: settled.serviceId,
      fileEndpointId: settled.fileEndpointId,
    });

  test('the query lists events oldest first, in pages whose cursors are positions', async () => {
    const whole = (await api.post(list, { projectId: settled.projectId, first: 200 })).data.events;
    const paged: string[] = [];
    let after: string | undefined;
    for (let hasNext = true; hasNext;) {
      const { data } = await api.post(list, { projectId: settled.projectId, first: 7, after });
      paged.push(...(data.events.edges as { node: Told }[]).map(({ node }) => node.position));
      hasNext = data.events.pageInfo.hasNextPage as boolean;
      after = data.events.pageInfo.endCursor as string;
    }
    expect(paged).toEqual((whole.edges as { cursor: string }[]).map(({ cursor }) => cursor));
    expect(paged).toHaveLength(whole.totalCount as number);
    const ofJob = await api.post(list, { streamId: settled.deletedJobId });
    expect((ofJob.data.events.edges as { node: Told }[]).map(({ node }) => node.type)).toEqual([
      'BackupQueued',
      'BackupAttemptStarted',
      'BackupSucceeded',
      'BackupDeletionDecided',
      'BackupDeleted',
    ]);
  });

  test('an invalid position and too many events for a page are BAD_INPUT, and others see nothing of a project', async () => {
    for (const variables of [{ after: 'x' }, { first: 201 }, { projectId: 'x' }]) {
      expect((await api.post(list, variables)).errors[0]?.extensions.code).toBe('BAD_INPUT');
    }
    const token = api.admit(memberOf(other.projectId, 'VIEWER'));
    expect((await api.post(list, { projectId: settled.projectId }, token)).data.events.edges).toEqual([]);
    const { id } = (await api.post(list, { projectId: settled.projectId })).data.events.edges[0].node as Told;
    const node = 'query ($id: ID!) { node(id: $id) { id } }';
    expect((await api.post(node, { id }, token)).data.node).toBeNull();
  });

  test('the subscription continues after a position: in order, without gaps and duplicates, while others write', async () => {
    const before = (await api.post(list, { projectId: settled.projectId, first: 200 })).data.events
      .totalCount as number;
    const subscription = follow({ projectId: settled.projectId, after: '0' });
    await Promise.all(
      Array.from({ length: 10 }, async () =>
        executeCommands(api.shared, { id: await queued(), projectId: settled.projectId }, started()),
      ),
    );
    await subscription.until((messages) => messages.length >= before + 20, limitMs);
    const events = await api.shared.store.read({ projectIds: [settled.projectId] });
    expect(subscription.messages.map(({ position }) => position)).toEqual(
      events.map(({ position }) => String(position)),
    );
    const middle = subscription.messages.at(10)?.position;
    const again = follow({ projectId: settled.projectId, after: middle });
    await again.until((messages) => messages.length === events.length - 11, limitMs);
    expect(again.messages.map(({ id }) => id)).toEqual(subscription.messages.slice(11).map(({ id }) => id));
  });

  test('the subscription is filtered by types of streams, and by the projects of the viewer', async () => {
    const token = api.admit(memberOf(settled.projectId, 'VIEWER'));
    const subscription = follow({ after: '0', streamTypes: ['BackupPlan', 'Project'] }, token);
    await subscription.until((messages) => messages.length === 2, limitMs);
    expect(subscription.messages.map(({ type }) => type)).toEqual(['ProjectCreated', 'BackupPlanCreated']);
    const stranger = follow({ projectId: other.projectId }, token).untilComplete(limitMs);
    await expect(stranger).rejects.toThrow('NOT_FOUND');
    await expect(follow({ projectId: randomUUID() }).untilComplete(limitMs)).rejects.toThrow('NOT_FOUND');
  });

  test('a live reader with too many unread events ends with SLOW_CONSUMER', async () => {
    const selection = { after: undefined, projectIds: [settled.projectId], streamTypes: undefined };
    const before = await api.shared.store.read({ projectIds: [settled.projectId] });
    const events = eventsSince(api.shared, selection, 3);
    const keepsUp = follow({ projectId: settled.projectId, after: String(before.at(-1)?.position) });
    for (let each = 0; each < 7; each += 1) await queued();
    await keepsUp.until((messages) => messages.length >= 7, limitMs);
    await expect(events.next()).rejects.toMatchObject({ code: 'SLOW_CONSUMER' });
  });

  test('a reader that unsubscribes while it waits ends immediately', async () => {
    const events = eventsSince(api.shared, { after: 0n, projectIds: [randomUUID()], streamTypes: undefined });
    const waiting = events.next();
    await events.return?.();
    expect(await waiting).toEqual({ done: true, value: undefined });
  });
});
