import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createMariadbEngine } from '../../src/engines/mariadb/mariadbEngine.js';
import { fingerprint } from '../fixtures/mariadbFingerprint.js';
import { describeWith } from '../fixtures/requirements.js';
import { mariadbMissing, startMariadb } from '../fixtures/servers/mariadb.js';
import { engineContract } from './engine.contract.js';

describeWith({ mariadb: mariadbMissing }, 'MariaDB', () => {
  engineContract('MariaDB', async () => {
    const [source, target] = await Promise.all([startMariadb(), startMariadb()]);
    await source.sql(await readFile('scripts/quickstart-sample.sql', 'utf8'));
    const connection = source.connection({ databases: ['harbour'] });
    return {
      engine: createMariadbEngine(),
      source: connection,
      target: target.connection(),
      nowhere: { ...connection, port: 1 },
      clearTarget: () => target.sql('DROP DATABASE IF EXISTS harbour').then(() => undefined),
      contents: ({ port }) => fingerprint(port === target.port ? target : source, ['harbour']),
      byHandTarget: `--user=root --socket='${join(target.folder, 's')}'`,
      stop: () => Promise.all([source.stop(), target.stop()]).then(() => undefined),
    };
  });
});
