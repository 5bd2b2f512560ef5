import { expect, test } from '@jest/globals';
import { readDatabase } from './databases.js';

const row = {
  name: 'shop',
  properties: JSON.stringify({
    ...{ owner: 'o', tablespace: null },
    grants: JSON.stringify([{ grantor: 'o', grantee: null, privilege: 'CONNECT', grantable: false }]),
    settings: JSON.stringify([{ role: null, name: 'work_mem', value: '4MB' }]),
  }),
  roles: '["o"]',
};

test('a row of the server becomes a database', () => {
  expect(readDatabase(row)).toMatchObject({ name: 'shop', roles: ['o'], properties: { owner: 'o' } });
});

test.each([
  ['properties that are cut off', { properties: row.properties.slice(0, -1) }],
  ['properties that are null', { properties: null }],
  ['properties with a number', { properties: '{"owner":1}' }],
  ['roles that are a text', { roles: '"o"' }],
  ['roles with a number', { roles: '[1]' }],
  ['grants that are no list', { properties: '{"grants":"{}"}' }],
  ['grants that are cut off', { properties: '{"grants":"[{"}' }],
  ['settings without a name', { properties: '{"settings":"[{\\"role\\":null,\\"value\\":\\"x\\"}]"}' }],
])('%s are an error of the server, and no defect', (_what, change) => {
  expect(() => readDatabase({ ...row, ...change })).toThrow(
    expect.objectContaining({ code: 'SERVICE_UNREACHABLE', help: expect.stringContaining('proxy') }),
  );
});
