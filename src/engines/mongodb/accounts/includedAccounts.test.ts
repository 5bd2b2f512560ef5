import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import type { BSON } from 'mongodb';
import { fakeMongoTools } from '../../../../test/fixtures/fakeMongoTools.js';
import {
  cursor,
  scriptOf,
  serverError,
  startScriptedMongo,
  type MongoScript,
  type ScriptedMongo,
} from '../../../../test/fixtures/servers/scriptedMongo.js';
import type { Engine } from '../../engine.js';
import { usualSteps } from '../../pipeline/storedSteps.js';
import type { IncludedUsers } from '../../runningDump.js';
import type { ServiceConnection } from '../../serviceConnection.js';
import { createMongodbEngine } from '../mongodbEngine.js';

const run = promisify(execFile);
const shop = { collections: [{ name: 'orders', type: 'collection', options: {} }] };
const secret = 'a hash of a password';
const user = (db: string, name: string, roles: readonly object[] = []): BSON.Document => ({
  ...{ _id: `${db}.${name}`, user: name, db, roles },
  credentials: { 'SCRAM-SHA-256': { storedKey: secret } },
});
const accounts = {
  users: [user('admin', 'boss', [{ role: 'readWrite', db: 'shop' }]), user('shop', 'clerk')],
  roles: [{ _id: 'shop.teller', role: 'teller', db: 'shop', privileges: [], roles: [] }],
};

/** Answers `find` on the collections of accounts, as the server does. */
const storing =
  (found: Readonly<Record<'users' | 'roles', readonly BSON.Document[]>> = accounts): MongoScript =>
  (name, command) => {
    const [, kind] = /^system\.(users|roles)$/.exec(String(command['find'])) ?? [];
    if (name !== 'find' || (kind !== 'users' && kind !== 'roles')) return undefined;
    const after = (command['filter'] as { $and: { _id?: { $gt: string } }[] }).$and[1]?._id?.$gt ?? '';
    const projection = command['projection'] as object | undefined;
    const shown = found[kind].map((document) =>
      projection === undefined ? document : { ...document, credentials: undefined },
    );
    return cursor(shown.filter(({ _id }) => String(_id) > after).slice(0, 1));
  };
const unauthorized = (name: string) =>
  /^(?:find|usersInfo|rolesInfo)$/.test(name) ? serverError(13, 'Unauthorized', 'not authorized') : undefined;

describe('Users and roles of a MongoDB', () => {
  let engine: Engine;
  let workFolder: string;
  let removeTools: () => Promise<void>;
  const servers: ScriptedMongo[] = [];

  beforeAll(async () => {
    const fake = await fakeMongoTools('100.18.0');
    removeTools = () => fake.remove();
    workFolder = await mkdtemp(join(tmpdir(), 'stowage-mongodb-'));
    engine = createMongodbEngine({ tools: { ...fake.tools, laterFolders: ['/usr/bin', '/bin'] } });
  });
  afterEach(() => {
    for (const server of servers.splice(0)) server.stop();
  });
  afterAll(async () => {
    await engine.close();
    await removeTools();
    await rm(workFolder, { recursive: true });
  });

  const context = () => ({ workFolder, signal: new AbortController().signal });
  async function serve(script: MongoScript): Promise<ServiceConnection> {
    const server = await startScriptedMongo(script);
    servers.push(server);
    return {
      ...{ host: '127.0.0.1', port: server.port, username: null, password: null, authSource: null, databases: null },
      tls: { mode: 'OFF', ca: null },
    };
  }
  const prepare = (connection: ServiceConnection, includeUsers: IncludedUsers) =>
    engine.prepareDump(connection, { ...context(), steps: usualSteps, includeUsers });
  async function backUp(includeUsers: IncludedUsers, script = scriptOf({ shop }, storing())) {
    const prepared = await prepare(await serve(script), includeUsers);
    const { report } = prepared;
    const part = report.parts.find(({ replay }) => replay === false);
    if (part === undefined) return { report, script: undefined };
    const running = await prepared.dump(part, context());
    const chunks: Buffer[] = [];
    for await (const chunk of running.stored) chunks.push(Buffer.from(chunk));
    expect((await running.ended).failure).toBeNull();
    const file = join(workFolder, 'part.zst');
    await writeFile(file, Buffer.concat(chunks));
    return { report, part, script: (await run('zstd', ['-dc', file])).stdout };
  }

  test('become a part of their own, without hashes, and the inventory lists their names', async () => {
    const { report, part, script } = await backUp('WITHOUT_PASSWORDS');
    expect(part).toMatchObject({ name: 'users', extension: 'js', databases: [], replay: false });
    expect(script).toContain('db.getSiblingDB("shop").createUser({ ...EJSON.deserialize({"user":"clerk","roles":[]})');
    expect(script).toContain('createRole(EJSON.deserialize({"role":"teller"');
    expect(script).not.toContain(secret);
    expect(report.inventory.accounts).toEqual({ users: ['admin.boss', 'shop.clerk'], roles: ['shop.teller'] });
    expect(report.inventory.databases[0]?.grantees).toEqual(['admin.boss', 'shop.clerk', 'shop.teller']);
    expect(report.warnings.join()).not.toMatch(/[Uu]sers and roles/);
  });

  test('contain hashes only if the plan says so, and only in the part', async () => {
    const { report, script } = await backUp('WITH_PASSWORD_HASHES');
    expect(script).toContain(secret);
    expect(JSON.stringify(report)).not.toContain(secret);
  });

  test('are asked for without credentials if the plan wants no hashes', async () => {
    await backUp('WITHOUT_PASSWORDS');
    const asked = servers.flatMap(({ commands }) => commands).filter((command) => command['find'] === 'system.users');
    expect(asked.length).toBeGreaterThan(0);
    for (const { projection } of asked) expect(projection).toEqual({ credentials: 0 });
  });

  test('have another name beside a database called users', async () => {
    const { report } = await backUp('WITHOUT_PASSWORDS', scriptOf({ users: shop }, storing()));
    expect(report.parts.map(({ name }) => name)).toEqual(['users', 'users.accounts']);
  });

  test('are no part of a plan without accounts, nor of a server without any', async () => {
    const none = await backUp('NONE');
    expect([none.report.parts.length, none.report.inventory.accounts]).toEqual([1, undefined]);
    expect(none.report.warnings.join()).toContain('Users and roles are not in the backup');
    const empty = await backUp('WITHOUT_PASSWORDS', scriptOf({ shop }, storing({ users: [], roles: [] })));
    expect(empty.report.parts).toHaveLength(1);
    expect(empty.report.inventory.accounts).toEqual({ users: [], roles: [] });
  });

  test('are read with usersInfo by a user that may only see them, with their restrictions', async () => {
    const restriction = [{ clientSource: ['10.0.0.1'] }];
    const viewing: MongoScript = (name, command) => {
      if (name === 'find') return unauthorized(name);
      if (name !== 'usersInfo') return undefined;
      const clerk = { ...user('shop', 'clerk'), credentials: undefined };
      return {
        users: [Array.isArray(command['usersInfo']) ? { ...clerk, authenticationRestrictions: restriction } : clerk],
      };
    };
    const { script } = await backUp('WITHOUT_PASSWORDS', scriptOf({ shop }, viewing));
    expect(script).toContain(`"authenticationRestrictions":${JSON.stringify(restriction)}`);
  });

  test('are missing with the command that helps, if the user may not see them', async () => {
    const refused = scriptOf({ shop }, unauthorized);
    const { report } = await backUp('WITHOUT_PASSWORDS', refused);
    expect(report.parts).toHaveLength(1);
    expect(report.warnings.join()).toContain('Users and roles are not part of this backup, because');
  });

  test('are named by a restore if the target lacks them', async () => {
    const { inventory } = (await backUp('WITHOUT_PASSWORDS')).report;
    const warningsOf = async (script: MongoScript) =>
      (await engine.restorePreflight(await serve(script), { inventory }, context())).warnings.join();
    const boss = { users: [user('admin', 'boss')], roles: [] };
    expect(await warningsOf(scriptOf({}, storing(boss)))).toContain(
      "The target lacks these users and roles, which a restore does not create: user shop.clerk, role shop.teller. The part 'users'",
    );
    expect(await warningsOf(scriptOf({}, storing()))).not.toContain('users and roles');
    expect(await warningsOf(scriptOf({}, unauthorized))).toMatch(/user shop\.clerk.* may not see whether/);
  });
});
