import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { fakeMongoTools } from '../../../test/fixtures/fakeMongoTools.js';
import {
  cursor,
  member,
  scriptOf,
  serverError,
  standalone,
  startScriptedMongo,
  type MongoScript,
  type ScriptedMongo,
} from '../../../test/fixtures/servers/scriptedMongo.js';
import { startScriptedServer } from '../../../test/fixtures/servers/scriptedServer.js';
import { Secret } from '../../secret.js';
import type { Engine } from '../engine.js';
import type { Inventory } from '../inventory.js';
import { usualSteps } from '../pipeline/storedSteps.js';
import type { RestoreRequirements } from '../runningRestore.js';
import type { ServiceConnection } from '../serviceConnection.js';
import { createMongodbEngine } from './mongodbEngine.js';

describe('The engine for MongoDB, with recorded answers of servers,', () => {
  let engine: Engine;
  let workFolder: string;
  let removeTools: () => Promise<void>;
  const servers: ScriptedMongo[] = [];

  beforeAll(async () => {
    const fake = await fakeMongoTools('100.18.0');
    removeTools = () => fake.remove();
    workFolder = await mkdtemp(join(tmpdir(), 'stowage-mongodb-'));
    engine = createMongodbEngine({ tools: fake.tools });
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
  const limits = () => ({ signal: new AbortController().signal, timeoutMs: 20_000 });
  async function serve(script: MongoScript): Promise<ScriptedMongo> {
    const server = await startScriptedMongo(script);
    servers.push(server);
    return server;
  }
  const connectionTo = (...all: readonly ScriptedMongo[]): ServiceConnection => ({
    ...{ host: all.map(({ port }) => `127.0.0.1:${port}`).join(), port: 27_017, username: null, password: null },
    ...{ authSource: null, databases: null, tls: { mode: 'OFF', ca: null } },
  });
  const reportOf = async (connection: ServiceConnection) => {
    const prepared = await engine.prepareDump(connection, { ...context(), steps: usualSteps });
    await prepared.close();
    return prepared.report;
  };
  const shop = { collections: [{ name: 'orders', type: 'collection', options: {} }] };
  const inventoryOf = async (databases: Parameters<typeof scriptOf>[0]): Promise<Inventory> =>
    (await reportOf(connectionTo(await serve(scriptOf(databases))))).inventory;

  describe('chooses the member of a replica set:', () => {
    const recent = new Date('2026-01-01T00:00:20Z');
    const behind = new Date('2026-01-01T00:00:09Z');
    const asMember =
      (...answer: Parameters<typeof member>): MongoScript =>
      (name) =>
        name === 'hello' ? member(...answer) : undefined;

    test('a secondary for a backup, unless it is behind', async () => {
      const primary = await serve(scriptOf({ shop }, asMember('PRIMARY', recent)));
      const late = await serve(scriptOf({ shop }, asMember('SECONDARY', behind)));
      const secondary = await serve(scriptOf({ shop }, asMember('SECONDARY', recent)));
      await reportOf(connectionTo(primary, late, secondary));
      expect([primary, late, secondary].map((each) => asked(each, 'dbStats'))).toEqual([0, 0, 1]);
      await reportOf(connectionTo(late, primary));
      expect([primary, late, secondary].map((each) => asked(each, 'dbStats'))).toEqual([1, 0, 1]);
    });

    test('another one, if the first does not answer or recovers', async () => {
      const recovering = await serve(scriptOf({ shop }, asMember('RECOVERING')));
      const primary = await serve(scriptOf({ shop }, asMember('PRIMARY')));
      const gone = await serve(() => undefined);
      gone.stop();
      expect((await reportOf(connectionTo(gone, recovering, primary))).parts).toHaveLength(1);
    });

    test('the primary for a restore, and names it if it is not among the hosts', async () => {
      const inventory = await inventoryOf({ shop });
      const secondary = await serve(scriptOf({}, asMember('SECONDARY')));
      const primary = await serve(scriptOf({}, asMember('PRIMARY')));
      await engine.restorePreflight(connectionTo(secondary, primary), { inventory }, context());
      await expect(engine.restorePreflight(connectionTo(secondary), { inventory }, context())).rejects.toMatchObject({
        code: 'SERVICE_UNREACHABLE',
        message: expect.stringContaining('The primary is one.example.org:27017.'),
      });
    });
  });

  test('dumps a whole replica set as one part, and otherwise a part a database, with the reason', async () => {
    const replicaSet = await serve(
      scriptOf({ shop, stock: shop }, (name) => (name === 'hello' ? member('PRIMARY') : undefined)),
    );
    const whole = await reportOf(connectionTo(replicaSet));
    expect(whole.parts).toMatchObject([{ name: 'databases', extension: 'archive' }]);
    expect(whole.warnings.join()).not.toContain('instant');

    const named = await reportOf({ ...connectionTo(replicaSet), databases: ['stock'] });
    expect(named.parts).toMatchObject([{ name: 'stock', databases: ['stock'] }]);
    expect(named.warnings.join()).toContain('not from a single instant, because the service names single databases');

    const single = await reportOf(connectionTo(await serve(scriptOf({ shop, stock: shop }))));
    expect(single.parts.map(({ name }) => name)).toEqual(['shop', 'stock']);
    expect(single.warnings.join()).toContain('because the server is not a member of a replica set');

    const router = scriptOf({ shop }, (name) => (name === 'hello' ? { ...standalone(), msg: 'isdbgrid' } : undefined));
    const cluster = await reportOf(connectionTo(await serve(router)));
    expect(cluster.warnings.join()).toContain('because the service is a sharded cluster');
    expect(cluster.warnings.join()).toContain('shard keys');
  });

  test('lists types, options, indexes, views and users, and only what a dump holds', async () => {
    const { warnings, inventory } = await reportOf(
      connectionTo(
        await serve(
          scriptOf({
            shop: {
              collections: [
                { name: 'log', type: 'collection', options: { capped: true, size: 4096 } },
                {
                  name: 'weather',
                  type: 'timeseries',
                  options: { timeseries: { timeField: 't' }, expireAfterSeconds: 60 },
                },
                { name: 'system.buckets.weather', type: 'collection', options: {} },
                { name: 'system.views', type: 'collection', options: {} },
                { name: 'system.js', type: 'collection', options: {} },
                { name: 'open', type: 'view', options: { viewOn: 'log', pipeline: [{ $match: { 2: 1, 1: 2 } }] } },
                { name: 'a$b', type: 'collection', options: {} },
              ],
              indexes: {
                log: [
                  {
                    v: 2,
                    key: new Map([
                      ['2', 1],
                      ['1', -1],
                    ]),
                    name: 'both',
                    unique: true,
                    hidden: true,
                  },
                ],
              },
              users: [{ user: 'clerk', db: 'shop', roles: [{ role: 'read', db: 'shop' }], credentials: { secret: 1 } }],
            },
          }),
        ),
      ),
    );
    const [database] = inventory.databases;
    expect(database?.tables.map(({ name, type, rows }) => [name, type, rows])).toEqual([
      ['log', 'collection', 3],
      ['weather', 'timeseries', null],
      ['system.js', 'collection', 3],
    ]);
    expect(database?.tables[0]?.definition?.parts).toEqual({
      'option capped': 'true',
      'option size': '4096',
      'index _id_': 'key: {"_id":1}, v: 2',
      'index both': 'hidden: true, key: {"2":1,"1":-1}, unique: true, v: 2',
    });
    expect(database?.objects).toEqual({ views: ['open'], users: ['clerk'], roles: [] });
    expect(JSON.stringify(inventory)).not.toContain('credentials');
    expect(warnings.join()).toContain('leaves out these collections because of their names: shop.a$b');
    expect(warnings.join()).toContain('user shop.clerk');
  });

  test('refuses a backup with an index that no server creates any more', async () => {
    const old = { ...shop, indexes: { orders: [{ v: 1, key: { a: 1 }, name: 'old', safe: true }] } };
    await expect(reportOf(connectionTo(await serve(scriptOf({ shop: old }))))).rejects.toMatchObject({
      code: 'TOOL_FAILED',
      message: expect.stringContaining('index old of shop.orders: no server accepts the option safe any more'),
    });
  });

  test('refuses a backup of a database whose name mongorestore refuses', async () => {
    await expect(reportOf(connectionTo(await serve(scriptOf({ shop, 'a b': shop }))))).rejects.toMatchObject({
      code: 'TOOL_FAILED',
      message: expect.stringContaining("database 'a b': mongorestore refuses its name"),
    });
  });

  test('names the collections of a customer in the database admin', async () => {
    const collections = ['orders', 'system.users', 'system.version'].map((name) => ({
      name,
      type: 'collection',
      options: {},
    }));
    const connection = connectionTo(await serve(scriptOf({ shop, admin: { collections } })));
    expect((await reportOf(connection)).warnings.join()).toMatch(/admin [^]*not in the backup, [^:]*: orders\. Move/);
    expect((await reportOf({ ...connection, databases: ['shop'] })).warnings.join()).not.toContain('admin');
  });

  test('refuses an empty server, and a database that does not exist', async () => {
    const server = await serve(scriptOf({ shop }));
    await expect(reportOf({ ...connectionTo(server), databases: ['shop', 'Shop'] })).rejects.toMatchObject({
      code: 'EMPTY_DUMP',
      message: expect.stringContaining("'Shop'"),
    });
    await expect(reportOf(connectionTo(await serve(scriptOf({}))))).rejects.toMatchObject({ code: 'EMPTY_DUMP' });
  });

  describe('refuses', () => {
    test.each([
      ['an old server', (name: string) => (name === 'buildInfo' ? { version: '4.2.24' } : undefined), 'MongoDB 4.2.24'],
      [
        'a server of an older protocol',
        (name: string) => (name === 'hello' ? { ...standalone(), maxWireVersion: 6 } : undefined),
        'too old',
      ],
    ])('%s', async (_what, script, words) => {
      await expect(reportOf(connectionTo(await serve(scriptOf({ shop }, script))))).rejects.toMatchObject({
        code: 'TOOL_VERSION',
        message: expect.stringContaining(words),
      });
    });

    test('a MariaDB, and names it', async () => {
      const server = await startScriptedServer({ version: '5.5.5-10.11.19-MariaDB-log' });
      const connection = { ...connectionTo(), host: '127.0.0.1', port: server.port };
      await expect(reportOf(connection)).rejects.toMatchObject({
        code: 'TOOL_VERSION',
        message: `The server at 127.0.0.1:${server.port} is MariaDB 10.11.19, not MongoDB.`,
      });
      server.stop();
    });

    test('a login that the server refuses, without its password', async () => {
      const script: MongoScript = (name) =>
        name === 'saslStart' ? serverError(18, 'AuthenticationFailed', 'Authentication failed.') : undefined;
      const login = { username: 'clerk', password: new Secret('hunter2') };
      const refused = reportOf({ ...connectionTo(await serve(scriptOf({ shop }, script))), ...login });
      await expect(refused).rejects.toMatchObject({
        code: 'SERVICE_AUTH',
        message: expect.stringMatching(/refused the login of 'clerk': Authentication failed\.$/),
        help: expect.stringContaining('authSource'),
      });
    });
  });

  describe('names each missing right', () => {
    const databaseActions = ['find', 'listCollections', 'listIndexes'];
    const rights = (resource: object, actions: readonly string[]) => ({ resource, actions });
    const loggedIn =
      (privileges: readonly object[], hello = standalone()): MongoScript =>
      (name) => {
        if (name === 'hello') return hello;
        if (name !== 'connectionStatus') return undefined;
        return {
          authInfo: { authenticatedUsers: [{ user: 'clerk', db: 'admin' }], authenticatedUserPrivileges: privileges },
        };
      };
    let script: MongoScript = () => undefined;
    let server: ScriptedMongo;
    // One process communicates with this server, so it starts only once.
    beforeAll(async () => {
      server = await startScriptedMongo(
        scriptOf(
          { shop },
          (name, command) => script(name, command) ?? (name === 'listCollections' && empty ? cursor([]) : undefined),
        ),
      );
    });
    afterAll(() => server.stop());
    let empty = false;
    const checked = async (answers: MongoScript, databases: readonly string[] | null) => {
      [script, empty] = [answers, false];
      const steps = await engine.check({ ...connectionTo(server), username: null, databases }, limits());
      return steps.find(({ name }) => name === 'PRIVILEGES');
    };

    test.each(databaseActions)('of a backup of a named database: %s', async (action) => {
      const without = databaseActions.filter((each) => each !== action);
      const own = (actions: readonly string[]) => loggedIn([rights({ db: 'shop', collection: '' }, actions)]);
      expect(await checked(own(databaseActions), ['shop'])).toMatchObject({ status: 'OK' });
      expect(await checked(own(without), ['shop'])).toMatchObject({
        ...{ status: 'FAILED', code: 'SERVICE_PRIVILEGE' },
        message: expect.stringContaining(`needs: ${action} on 'shop'.`),
        hint: expect.stringContaining('roles: [{ role: "read", db: "shop" }]'),
      });
    });

    test('of a backup of a whole replica set', async () => {
      const backup = [
        rights({ db: '', collection: '' }, databaseActions),
        rights({ cluster: true }, ['listDatabases']),
        rights({ db: 'local', collection: 'oplog.rs' }, ['find']),
      ];
      expect(await checked(loggedIn(backup, member('PRIMARY')), null)).toMatchObject({ status: 'OK' });
      const without = (place: number) => backup.filter((_right, index) => index !== place);
      expect(await checked(loggedIn(without(1), member('PRIMARY')), null)).toMatchObject({
        message: expect.stringContaining('needs: listDatabases on the cluster.'),
        hint: expect.stringContaining('{ role: "backup", db: "admin" }'),
      });
      const ofShop = [rights({ db: 'shop', collection: '' }, databaseActions), ...without(2).slice(1)];
      expect(await checked(loggedIn(ofShop, member('PRIMARY')), null)).toMatchObject({
        message: expect.stringContaining("needs: find on 'local.oplog.rs'."),
      });
    });

    test('of a restore', async () => {
      const inventory = await inventoryOf({ shop });
      const actions = ['createCollection', 'createIndex', 'insert', 'dropCollection', 'bypassDocumentValidation'];
      const all = [...databaseActions, ...actions];
      const preflight = (held: readonly string[], parts: RestoreRequirements['parts'] = []) => {
        const answers = loggedIn([rights({ db: 'shop', collection: '' }, held)]);
        script = (name, command) => (name === 'listDatabases' ? { databases: [] } : answers(name, command));
        empty = true;
        return engine.restorePreflight(connectionTo(server), { inventory, parts }, context());
      };
      await preflight(all);
      // A part of a database whose name is that of the part with an oplog.
      await preflight(all, [{ name: 'databases', databases: ['databases'] }]);
      for (const action of all) {
        await expect(preflight(all.filter((each) => each !== action))).rejects.toMatchObject({
          code: 'SERVICE_PRIVILEGE',
          message: expect.stringContaining(`needs: ${action} on 'shop'.`),
          help: expect.stringContaining('{ role: "readWrite", db: "shop" }, { role: "dbAdmin", db: "shop" }'),
        });
      }
      await expect(preflight(all, [{ name: 'databases' }])).rejects.toMatchObject({
        message: expect.stringContaining('needs: anyAction on anyResource.'),
        help: expect.stringContaining('createRole({ role: "stowageReplay"'),
      });
    });
  });

  describe('refuses a target', () => {
    test('with a database of the same name in any letter case, also if it is not listed', async () => {
      const inventory = await inventoryOf({ shop });
      const refused = async (script: MongoScript) =>
        expect(
          engine.restorePreflight(connectionTo(await serve(script)), { inventory }, context()),
        ).rejects.toMatchObject({
          code: 'TARGET_EXISTS',
          message: "The target already has the database 'shop'.",
        });
      await refused(scriptOf({ SHOP: shop }));
      await refused(scriptOf({ shop }, (name) => (name === 'listDatabases' ? { databases: [] } : undefined)));
    });

    test('that is too old for a time series, and warns of users, expiry and another release', async () => {
      const inventory = await inventoryOf({
        shop: {
          collections: [
            {
              name: 'weather',
              type: 'timeseries',
              options: { timeseries: { timeField: 't' }, expireAfterSeconds: 60 },
            },
          ],
          users: [{ user: 'clerk', roles: [] }],
        },
      });
      const target = (version: string) =>
        serve(scriptOf({}, (name) => (name === 'buildInfo' ? { version } : undefined)));
      const { warnings, changesByItself } = await engine.restorePreflight(
        connectionTo(await target('8.0.1')),
        { inventory },
        context(),
      );
      expect(changesByItself).toBe(true);
      expect(warnings.join()).toMatch(/user shop\.clerk.*MongoDB 7\.0\.14.*shop\.weather/s);
      await expect(
        engine.restorePreflight(connectionTo(await target('4.4.29')), { inventory }, context()),
      ).rejects.toMatchObject({
        code: 'TARGET_UNFIT',
        message: expect.stringContaining('shop.weather'),
        help: 'Restore into MongoDB 5.0 or newer.',
      });
    });

    test('on which another restore has begun, and starts no tool', async () => {
      const inventory = await inventoryOf({ shop });
      const target = await serve(
        scriptOf({}, (name) =>
          name === 'create' ? serverError(48, 'NamespaceExists', 'Collection already exists') : undefined,
        ),
      );
      const part = { name: 'shop', extension: 'archive', databases: ['shop'] };
      const source = { restoreId: 'one', inventory };
      const restore = engine.restore(connectionTo(target), part, source, { ...context(), steps: usualSteps });
      await expect(restore).rejects.toMatchObject({ code: 'TARGET_EXISTS' });
      expect(target.commands.filter((command) => 'create' in command)).toMatchObject([
        { create: 'stowage.restoring', $db: 'shop' },
      ]);
      expect(asked(target, 'drop')).toBe(0);
    });
  });

  test('ends the operations of a lost restore, and only these', async () => {
    let running = [{ opid: 7 }, { opid: 'shard:8' }];
    const target = await serve(
      scriptOf({}, (name, command) => {
        if (name === 'aggregate' && command['aggregate'] === 1) return cursor(running);
        if (name !== 'killOp') return undefined;
        running = running.filter(({ opid }) => opid !== command['op']);
        return {};
      }),
    );
    expect(await engine.endOurSessions(connectionTo(target), 'lost', context())).toBe(true);
    expect(target.commands.filter((command) => 'killOp' in command).map((command) => command['op'] as unknown)).toEqual(
      [7, 'shard:8'],
    );
    const [query] = target.commands.filter((command) => 'aggregate' in command);
    expect(query?.['pipeline']).toMatchObject([
      { $currentOp: { allUsers: false } },
      { $match: { appName: expect.stringMatching(/^stowage-restore-[0-9a-f]{20}$/) } },
    ]);
  });

  test('reports tools that are too old or missing', async () => {
    const old = await fakeMongoTools('100.12.0');
    const withOld = createMongodbEngine({ tools: old.tools });
    await expect(withOld.tools()).rejects.toMatchObject({
      code: 'TOOL_VERSION',
      message: expect.stringContaining('100.12.0'),
      help: expect.stringContaining('mongodb-database-tools'),
    });
    await old.remove();
  });
});

function asked(server: ScriptedMongo, name: string): number {
  return server.commands.filter((command) => Object.keys(command)[0] === name).length;
}
