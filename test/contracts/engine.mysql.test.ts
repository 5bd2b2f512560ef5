import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createMysqlEngine } from '../../src/engines/mysql/mysqlEngine.js';
import { mysqlFingerprint } from '../fixtures/mysqlFingerprint.js';
import { describeWith } from '../fixtures/requirements.js';
import { mysqlHome, mysqlMissing, startMysql } from '../fixtures/servers/mysql.js';
import { engineContract } from './engine.contract.js';

describeWith({ mysql: mysqlMissing }, 'MySQL', () => {
  engineContract('MySQL', async () => {
    const [source, target] = await Promise.all([startMysql(), startMysql()]);
    await source.sql(await readFile('scripts/quickstart-sample-mysql.sql', 'utf8'));
    const connection = source.connection({ databases: ['harbour'] });
    return {
      engine: createMysqlEngine({ tools: { folders: [join(mysqlHome, 'bin')] } }),
      source: connection,
      target: target.connection(),
      nowhere: { ...connection, port: 1 },
      clearTarget: () => target.sql('DROP DATABASE IF EXISTS harbour').then(() => undefined),
      contents: ({ port }) => mysqlFingerprint(port === target.port ? target : source, ['harbour']),
      // MariaDB has a client of the same name.
      byHandFolder: join(mysqlHome, 'bin'),
      byHandTarget: `--user=root --socket='${join(target.folder, 's')}'`,
      stop: () => Promise.all([source.stop(), target.stop()]).then(() => undefined),
    };
  });
});
