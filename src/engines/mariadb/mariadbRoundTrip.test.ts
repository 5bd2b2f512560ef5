import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { fingerprint } from '../../../test/fixtures/mariadbFingerprint.js';
import { mariadbMissing, startMariadb, type MariadbServer } from '../../../test/fixtures/mariadb.js';
import { describeWith } from '../../../test/fixtures/requirements.js';
import { createMariadbEngine } from './mariadbEngine.js';
import { databasesPart } from './preflight.js';

describeWith({ mariadb: mariadbMissing }, 'MariaDB, dumped and restored by its own tools', () => {
  let source: MariadbServer;
  let target: MariadbServer;
  let workFolder: string;
  const engine = createMariadbEngine();
  const context = () => ({ workFolder, signal: new AbortController().signal });

  beforeAll(async () => {
    workFolder = await mkdtemp(join(tmpdir(), 'stowage-work-'));
    [source, target] = await Promise.all([startMariadb(), startMariadb()]);
    await source.sql(await readFile('test/fixtures/nastyDatabase.sql', 'utf8'));
    await source.sql(await readFile('scripts/quickstart-sample.sql', 'utf8'));
  }, 60_000);

  afterAll(async () => {
    await Promise.all([source.stop(), target.stop()]);
    await rm(workFolder, { recursive: true, force: true });
  });

  test('is identical, by every definition and every byte of every row', async () => {
    const report = await engine.preflight(source.connection(), context());
    const dump = await engine.dump(source.connection(), databasesPart, report, context());
    const stored = await buffer(dump.compressed);
    const end = await dump.ended;
    expect(end).toMatchObject({ exitCode: 0, signal: null, lastLines: '', failure: null });
    expect(dump.readBytes()).toBe(end.sizeBytes);

    await engine.restorePreflight(target.connection(), { inventory: report.inventory }, context());
    const restore = await engine.restore(target.connection(), databasesPart, context());
    restore.compressed.end(stored);
    expect(await restore.ended).toMatchObject({ exitCode: 0, lastLines: '', failure: null });

    const databases = ['nasty `db', '--result-file=/tmp/xx', 'harbour'];
    expect(report.inventory.databases.map(({ name }) => name).sort()).toEqual([...databases].sort());
    expect(await fingerprint(target, databases)).toEqual(await fingerprint(source, databases));
    expect(existsSync('/tmp/xx')).toBe(false);
    expect(existsSync('/tmp/never')).toBe(false);
    const again = await engine.inventory(target.connection(), context());
    expect(
      again.databases.map(({ tables, objects }) => ({ tables: tables.map(({ name, rows }) => [name, rows]), objects })),
    ).toEqual(
      report.inventory.databases.map(({ tables, objects }) => ({
        tables: tables.map(({ name, rows }) => [name, rows]),
        objects,
      })),
    );
  });
});
