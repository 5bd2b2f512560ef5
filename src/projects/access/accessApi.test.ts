import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { memberWith } from '../../../test/fixtures/api/sliceApi.js';
import { startWholeApi, type WholeApi } from '../../../test/fixtures/api/wholeApi.js';
import { describeWith } from '../../../test/fixtures/requirements.js';
import { postgresMissing } from '../../../test/fixtures/servers/postgres.js';
import { settleProject, type SettledProject } from '../../../test/fixtures/settledProject.js';
import type { Role } from '../../server/viewer.js';

const issuer = 'https://id.example.org';
const create = `mutation ($input: AccessTokenInput!, $commandId: ID) { createAccessToken(input: $input, commandId: $commandId) {
  token accessToken { id name role serviceId service { id } expiresAt lastUsedAt revokedAt project { id } } } }`;
const revoke = 'mutation ($id: ID!) { revokeAccessToken(id: $id) { id revokedAt } }';
const set = `mutation ($projectId: ID!, $serviceId: ID, $issuer: String!, $subject: String!, $role: Role) {
  setMember(projectId: $projectId, serviceId: $serviceId, issuer: $issuer, subject: $subject, role: $role) {
    members { nodes { subject issuer serviceId service { id } role } } } }`;

describeWith({ postgresql: await postgresMissing() }, 'access tokens and members', () => {
  let api: WholeApi;
  let own: SettledProject;
  beforeAll(async () => {
    api = await startWholeApi();
    own = await settleProject(api, 'Amsterdam', 9);
  });
  afterAll(() => api.stop());

  const created = async (changes: object = {}, as?: string) => {
    const input = { projectId: own.projectId, name: 'ci', role: 'VIEWER', ...changes };
    const { data, errors } = await api.post(create, { input }, as);
    expect(errors).toEqual([]);
    return data.createAccessToken as { token: string; accessToken: { id: string } };
  };
  const person = (role: Role, serviceId: string | null = null, sub?: string) =>
    api.admit(memberWith([{ projectId: own.projectId, serviceId, role }], sub));
  const codeOf = async (...call: Parameters<WholeApi['post']>) => (await api.post(...call)).errors[0]?.extensions.code;

  test('a token is shown once, acts with its role, and the database holds only its hash', async () => {
    const { token, accessToken } = await created({ role: 'OPERATOR' });
    expect(token).toMatch(/^stw_[\w-]{43}$/);
    expect(accessToken).toMatchObject({
      role: 'OPERATOR',
      serviceId: null,
      lastUsedAt: null,
      project: { id: own.projectId },
    });
    const { data } = await api.post(
      '{ me { subject issuer memberships { role project { id viewerRole } } } }',
      {},
      token,
    );
    expect(data.me).toEqual({
      subject: `token:${accessToken.id}`,
      issuer: 'stowage',
      memberships: [{ role: 'OPERATOR', project: { id: own.projectId, viewerRole: 'OPERATOR' } }],
    });
    const [{ dump }] = await api.owner.query<[{ dump: string }]>(
      "SELECT concat((SELECT string_agg(e::text, '') FROM events e), (SELECT string_agg(h::text, '') FROM access_token_hashes h)) AS dump",
    );
    expect(dump).not.toContain(token.slice(4));
    const query = 'query ($id: ID!) { node(id: $id) { ... on AccessToken { lastUsedAt } } }';
    const used = await api.post(query, { id: accessToken.id });
    expect(used.data.node.lastUsedAt).toEqual(expect.any(String));
  });

  test('a repeated command returns the same token without its secret', async () => {
    const commandId = randomUUID();
    const input = { projectId: own.projectId, name: 'twice', role: 'VIEWER' };
    const [first, again] = [await api.post(create, { input, commandId }), await api.post(create, { input, commandId })];
    const [one, other] = [first.data.createAccessToken, again.data.createAccessToken];
    expect(other).toMatchObject({ token: null, accessToken: { id: one.accessToken.id } });
  });

  test('a token that expires creates no token that outlives it', async () => {
    const end = '2100-01-01T00:00:00.000Z';
    const { token } = await created({ role: 'ADMIN', expiresAt: end });
    const createdBy = (input: object) =>
      api.post(create, { input: { projectId: own.projectId, name: 'child', role: 'VIEWER', ...input } }, token);
    const child = (await createdBy({})).data.createAccessToken.accessToken;
    expect(child.expiresAt).toBe(end);
    expect((await createdBy({ expiresAt: '2099-12-31T00:00:00Z' })).errors).toEqual([]);
    const { errors } = await createdBy({ expiresAt: '2100-01-01T00:00:01Z' });
    expect(errors[0]?.extensions).toMatchObject({
      code: 'BAD_INPUT',
      details: { fields: [{ path: 'input.expiresAt', problem: expect.stringContaining('later than the end') }] },
    });
  });

  test('a revoked token, an expired one and one that never existed are refused with the same words', async () => {
    const revoked = await created();
    expect((await api.post(revoke, { id: revoked.accessToken.id })).data.revokeAccessToken.revokedAt).not.toBeNull();
    const expired = await created({ expiresAt: new Date(Date.now() + 3_600_000).toISOString() });
    await api.owner.query("UPDATE access_tokens SET expires_at = now() - interval '1 second' WHERE id = $1", [
      expired.accessToken.id,
    ]);
    const answers = await Promise.all(
      [revoked.token, expired.token, `stw_${'x'.repeat(43)}`].map((token) => api.post('{ me { subject } }', {}, token)),
    );
    expect(answers.map(({ status }) => status)).toEqual([401, 401, 401]);
    expect(new Set(answers.map(({ errors }) => errors[0]?.message)).size).toBe(1);
  });

  test('an ADMIN of a service manages its tokens and members, and nothing beyond it', async () => {
    const { projectId, serviceId, idleServiceId } = own;
    const admin = person('ADMIN', serviceId);
    const { accessToken, token } = await created({ serviceId, role: 'ADMIN' }, admin);
    expect(accessToken).toMatchObject({ serviceId, service: { id: serviceId } });
    const listed = await api.post(
      'query ($id: ID!) { project(id: $id) { viewerRole accessTokens { nodes { id } } } }',
      { id: projectId },
      token,
    );
    expect(listed.data.project).toEqual({ viewerRole: null, accessTokens: { nodes: [{ id: accessToken.id }] } });

    const member = { projectId, issuer, subject: 'ben', role: 'OPERATOR' };
    const { data } = await api.post(set, { ...member, serviceId }, admin);
    expect(data.setMember.members.nodes).toEqual([
      { subject: 'ben', issuer, serviceId, service: { id: serviceId }, role: 'OPERATOR' },
    ]);
    const input = { projectId, name: 'more', role: 'VIEWER' };
    expect(await codeOf(set, member, admin)).toBe('FORBIDDEN');
    expect(await codeOf(set, { ...member, serviceId: idleServiceId }, admin)).toBe('NOT_FOUND');
    expect(await codeOf(create, { input }, admin)).toBe('FORBIDDEN');
    expect(await codeOf(create, { input: { ...input, serviceId: idleServiceId } }, admin)).toBe('NOT_FOUND');
    expect(await codeOf(revoke, { id: own.accessTokenId }, admin)).toBe('NOT_FOUND');
    expect(await codeOf(create, { input: { ...input, serviceId } }, person('OPERATOR', serviceId))).toBe('FORBIDDEN');
  });

  test('the last ADMIN of a project keeps the role, unless the installation-level token removes it', async () => {
    const { projectId } = await settleProject(api, 'Bergen', 9);
    const anna = { projectId, issuer, subject: 'member-anna' };
    await api.post(set, { ...anna, role: 'ADMIN' });
    const admin = api.admit(memberWith([{ projectId, serviceId: null, role: 'ADMIN' }], 'anna'));
    const refused = await api.post(set, { ...anna, role: 'OPERATOR' }, admin);
    expect(refused.errors[0]).toMatchObject({
      message: 'This member is the last ADMIN of the project, and a project keeps one.',
      extensions: { code: 'CONFLICT' },
    });
    const removed = await api.post(set, { ...anna, role: null });
    expect(removed.data.setMember.members.nodes).toEqual([]);
  });

  test('file endpoints of a service: those created from it follow the role, those that it uses can only be seen', async () => {
    const { projectId, serviceId, fileEndpointId, idleFileEndpointId } = own;
    const admin = person('ADMIN', serviceId);
    const make =
      'mutation ($input: FileEndpointInput!) { createFileEndpoint(input: $input) { id service { id } viewerActions } }';
    const input = {
      projectId,
      serviceId,
      name: 'of the service',
      settings: { filesystem: { path: 'of-the-service' } },
    };
    const { data, text } = await api.post(make, { input }, admin);
    if (data === null) throw new Error(text);
    const made = data.createFileEndpoint as { id: string };
    expect(made).toMatchObject({ service: { id: serviceId }, viewerActions: ['UPDATE', 'REMOVE', 'CHECK'] });
    const list = await api.post('{ fileEndpoints { nodes { id viewerActions lastAudit { at } } } }', {}, admin);
    expect(list.data.fileEndpoints.nodes).toEqual([
      { id: made.id, viewerActions: ['UPDATE', 'REMOVE', 'CHECK'], lastAudit: null },
      { id: fileEndpointId, viewerActions: [], lastAudit: null },
    ]);
    const rename = 'mutation ($id: ID!) { updateFileEndpoint(id: $id, input: { name: "renamed" }) { name } }';
    expect(await codeOf(rename, { id: made.id }, admin)).toBeUndefined();
    expect(await codeOf(rename, { id: fileEndpointId }, admin)).toBe('FORBIDDEN');
    expect(await codeOf(rename, { id: idleFileEndpointId }, admin)).toBe('NOT_FOUND');
    const start = 'mutation ($input: StartBackupInput!) { startBackup(input: $input) { batchId } }';
    const backup = (endpoint: string) => ({ input: { service: { serviceId, fileEndpointId: endpoint } } });
    const [unseen, missing] = await Promise.all(
      [idleFileEndpointId, randomUUID()].map(async (id) => (await api.post(start, backup(id), admin)).text),
    );
    expect(unseen).toContain('BAD_INPUT');
    expect(unseen).toBe(missing);
    expect(await codeOf(start, backup(made.id), admin)).toBeUndefined();
  });
});
