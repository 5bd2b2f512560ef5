import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { memberOf, memberWith } from '../../test/fixtures/api/sliceApi.js';
import { startWholeApi, type WholeApi } from '../../test/fixtures/api/wholeApi.js';
import { describeWith } from '../../test/fixtures/requirements.js';
import { postgresMissing } from '../../test/fixtures/servers/postgres.js';
import { settleProject, type SettledProject } from '../../test/fixtures/settledProject.js';
import type { Viewer } from '../server/viewer.js';

describeWith({ postgresql: await postgresMissing() }, 'an event', () => {
  let api: WholeApi;
  let settled: SettledProject;
  beforeAll(async () => {
    api = await startWholeApi();
    settled = await settleProject(api, 'harbour', 3306);
  });
  afterAll(() => api.stop());

  const hold = 'mutation ($id: ID!) { holdBackup(id: $id, reason: "audit") { id } }';
  const newest = async (token?: string) => {
    const query = `query ($id: ID!) { events(streamId: $id, first: 200) {
      nodes { actor actorKind actorName operation clientAddress correlationId } } }`;
    const { data } = await api.post(query, { id: settled.storedJobId }, token);
    return (data.events.nodes as Record<string, unknown>[]).at(-1);
  };
  const named = (name: string): Viewer => ({ ...memberOf(settled.projectId, 'OPERATOR'), name });

  test('shows the person with the name of that time, the operation and the address', async () => {
    const viewer = named('Ada Example');
    await api.post(hold, { id: settled.storedJobId }, api.admit(viewer));
    expect(await newest()).toEqual({
      actor: viewer.subject,
      actorKind: 'PERSON',
      actorName: 'Ada Example',
      operation: 'holdBackup',
      clientAddress: '127.0.0.1',
      correlationId: expect.any(String),
    });
  });

  test('shows the access token by its name', async () => {
    const input = { projectId: settled.projectId, name: 'nightly', role: 'OPERATOR' };
    const create = 'mutation ($input: AccessTokenInput!) { createAccessToken(input: $input) { token } }';
    const { token } = (await api.post(create, { input })).data.createAccessToken as { token: string };
    await api.post('mutation ($id: ID!) { releaseBackup(id: $id) { id } }', { id: settled.storedJobId }, token);
    expect(await newest()).toMatchObject({ actorKind: 'TOKEN', actorName: 'nightly', operation: 'releaseBackup' });
  });

  test('shows the address to an ADMIN of the project only, and never that of the installation', async () => {
    const { projectId, serviceId } = settled;
    const tokens = [
      memberOf(projectId, 'ADMIN'),
      memberOf(projectId, 'OPERATOR'),
      memberWith([{ projectId, serviceId, role: 'ADMIN' }]),
    ].map((viewer) => api.admit(viewer));
    const seen = () => Promise.all(tokens.map(async (token) => (await newest(token))?.['clientAddress']));
    await api.post(hold, { id: settled.storedJobId }, api.admit(named('Ada Example')));
    expect(await seen()).toEqual(['127.0.0.1', null, null]);
    await api.post('mutation ($id: ID!) { releaseBackup(id: $id) { id } }', { id: settled.storedJobId });
    expect([await seen(), (await newest())?.['clientAddress']]).toEqual([[null, null, null], '127.0.0.1']);
  });
});
