import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { MongoClient } from 'mongodb';
import { mongodbContents } from '../../../test/fixtures/mongodbContents.js';
import { fillNastyMongodb } from '../../../test/fixtures/nastyMongodb.js';
import { rawDifferences } from '../../../test/fixtures/rawDifferences.js';
import { describeWith } from '../../../test/fixtures/requirements.js';
import { mongoMissing, startMongo, type TestMongo } from '../../../test/fixtures/servers/mongo.js';
import { mongoTools, mongoToolsMissing } from '../../../test/fixtures/servers/mongoTools.js';
import { postgresMissing } from '../../../test/fixtures/servers/postgres.js';
import { startSwift, swiftMissing, type SwiftServer } from '../../../test/fixtures/servers/swift.js';
import { eventually, startWorkerHarness, type WorkerHarness } from '../../../test/fixtures/workerHarness.js';
import { BackupJobTable, type BackupJobRow } from '../../backups/backupJobView.js';
import { createMongodbEngine } from '../../engines/mongodb/mongodbEngine.js';
import { RestoreJobTable } from '../../restores/restoreJobView.js';

const run = promisify(execFile);
const needs = {
  postgresql: await postgresMissing(),
  swift: swiftMissing,
  mongodb: await mongoMissing(),
  'mongo-tools': mongoToolsMissing(),
};
const databases = ['nasty', 'users'];

describeWith(needs, 'A worker backs up a MongoDB', () => {
  let harness: WorkerHarness;
  let source: TestMongo;
  let target: TestMongo;
  let swift: SwiftServer;
  let serviceId: string;
  let targetId: string;

  beforeAll(async () => {
    [harness, source, target, swift] = await Promise.all([
      startWorkerHarness(),
      startMongo(),
      startMongo(),
      startSwift(),
    ]);
    await fillNastyMongodb(source.url(), 'nasty');
    const client = new MongoClient(source.url());
    // The part with the users of a server is called so too.
    await client.db('users').collection('users').insertOne({ name: 'Anna' });
    await client.close();
    const service = (server: TestMongo) =>
      harness.addService(
        { port: Number(new URL(server.url()).port), username: '', password: '' },
        { engine: 'MONGODB', username: null, databases: server === source ? databases : null },
      );
    [serviceId, targetId] = await Promise.all([service(source), service(target)]);
    await harness.startWorker({ engines: new Map([['MONGODB', createMongodbEngine({ tools: mongoTools })]]) });
  });
  afterAll(async () => {
    await Promise.all([harness.stop(), source.stop(), target.stop(), swift.stop()]);
  });

  async function backUp(fileEndpointId: string): Promise<BackupJobRow> {
    const id = await harness.queueBackup({
      ...{ serviceId, fileEndpointId, engine: 'MONGODB', includeUsers: 'WITHOUT_PASSWORDS' },
    });
    const backup = await eventually('the end of the backup', async () => {
      const row = await harness.dataSource.manager.findOneByOrFail(BackupJobTable, { id });
      return row.finishedAt === null ? undefined : row;
    });
    expect({ status: backup.status, error: backup.error }).toEqual({ status: 'SUCCEEDED', error: null });
    return backup;
  }
  async function expectRestored(backup: BackupJobRow): Promise<void> {
    const id = await harness.queueRestore(backup.id, targetId, 3, 60_000, 'MONGODB');
    const restore = await eventually('the end of the restore', async () => {
      const row = await harness.dataSource.manager.findOneByOrFail(RestoreJobTable, { id });
      return row.finishedAt === null ? undefined : row;
    });
    expect({ status: restore.status, error: restore.error }).toEqual({ status: 'SUCCEEDED', error: null });
    const contents = await mongodbContents(target.url(), databases);
    expect(rawDifferences(await mongodbContents(source.url(), databases), contents)).toEqual([]);
    await clear();
  }
  async function clear(): Promise<void> {
    const client = new MongoClient(target.url());
    for (const name of databases) await client.db(name).dropDatabase();
    await client.close();
  }

  test('into Swift, and restores it byte by byte into another service', async () => {
    const backup = await backUp(await harness.addSwift(swift, 'mongo'));
    expect(backup.parts.map(({ name }) => name).slice(0, 2)).toEqual(databases);
    await expectRestored(backup);
  });

  test('into a folder, and restores it, also with the command for a person', async () => {
    const backup = await backUp(await harness.addFolder({ path: 'mongo' }));
    await expectRestored(backup);
    for (const { objectName, restoreByHand } of backup.parts.filter(({ replay }) => replay !== false)) {
      const [download = '', ...others] = restoreByHand.split(' | ');
      expect(download).toMatch(/^cat /);
      const file = join(harness.ground.root, 'mongo', objectName);
      const command = [`cat ${file}`, ...others].join(' | ');
      await run('bash', ['-o', 'pipefail', '-c', `${command} --uri=${target.url()}`], {
        env: { PATH: [...mongoTools.folders, ...(mongoTools.laterFolders ?? [])].join(':') },
      });
    }
    const contents = await mongodbContents(target.url(), databases);
    expect(rawDifferences(await mongodbContents(source.url(), databases), contents)).toEqual([]);
    await clear();
  });
});
