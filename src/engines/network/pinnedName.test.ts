import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { runTool } from '../../../test/fixtures/processes/runTool.js';
import { describeWith } from '../../../test/fixtures/requirements.js';
import { makeCertificates } from '../../../test/fixtures/servers/certificates.js';
import { mariadbMissing, startMariadb, type MariadbServer } from '../../../test/fixtures/servers/mariadb.js';
import { mariadbHome, mariadbVersionsMissing } from '../../../test/fixtures/servers/mariadbVersions.js';
import { toolMessages } from '../mysqlFamily/tools/toolMessages.js';
import { mariadbDialect } from '../mariadb/mariadbDialect.js';
import { addOptionFile } from '../mysqlFamily/tools/optionFile.js';
import { createToolFiles } from '../process/toolFiles.js';
import type { ServiceConnection } from '../serviceConnection.js';
import { pinnedName } from './pinnedName.js';

/**
 * The name `localhost` first resolved to one server, whose address was checked. Now it resolves to another server,
 * which also has a valid certificate.
 */
describeWith(
  { mariadb: mariadbMissing, 'mariadb-versions': mariadbVersionsMissing },
  'a tool that verifies the name of the server',
  () => {
    const folders: string[] = [];
    let checked: MariadbServer;
    let other: MariadbServer;
    let authorities: string;

    const folder = async () => {
      const made = await mkdtemp(join(tmpdir(), 'stowage-pinned-'));
      folders.push(made);
      return made;
    };
    beforeAll(async () => {
      const certificates = [
        await makeCertificates(await folder(), 'localhost'),
        await makeCertificates(await folder(), 'localhost'),
      ];
      authorities = certificates.map(({ ca }) => ca).join('\n');
      const tls = certificates.map(({ certificateFile, keyFile }) => [
        `--ssl-cert=${certificateFile}`,
        `--ssl-key=${keyFile}`,
      ]);
      other = await startMariadb(tls[0]);
      checked = await startMariadb([...(tls[1] ?? []), '--bind-address=127.0.0.2', `--port=${other.port}`]);
      for (const [server, name] of [
        [checked, 'checked'],
        [other, 'other'],
      ] as const)
        await server.sql(`CREATE DATABASE ${name}`);
    });
    afterAll(async () => {
      await checked.stop();
      await other.stop();
      for (const each of folders) await rm(each, { recursive: true });
    });

    const clients: readonly (readonly [string, string])[] = [
      ['10.11', '/usr/bin'],
      ['10.2', join(mariadbHome('10.2.11'), 'bin')],
      ['11.4', join(mariadbHome('11.4.5'), 'bin')],
    ];

    /** Runs a tool for the service with this name, whose checked address is 127.0.0.2. Returns its output. */
    async function run(bin: string, tool: 'mariadb' | 'mariadb-dump', host: string): Promise<string> {
      const connection: ServiceConnection = checked.connection({
        host,
        port: other.port,
        tls: { mode: 'VERIFY', ca: authorities },
      });
      const files = createToolFiles(await folder());
      const program = join(bin, tool);
      const server = { address: '127.0.0.2' };
      const optionFile = await addOptionFile(connection, server, files, { program, dialect: mariadbDialect });
      const args =
        tool === 'mariadb'
          ? ['--batch', '-e', 'SHOW DATABASES']
          : ['--no-data', '--skip-lock-tables', '--all-databases'];
      const { exitCode, stdout, lastLines } = await runTool(program, [`--defaults-file=${optionFile}`, ...args], {
        files,
        ...{ filter: toolMessages(), environment: pinnedName(connection, server, files) },
      });
      return exitCode === 0 ? stdout : lastLines;
    }

    test.each(clients)('of version %s connects to the address that was checked', async (_version, bin) => {
      for (const tool of ['mariadb', 'mariadb-dump'] as const) {
        const printed = await run(bin, tool, 'localhost');
        expect(printed).toMatch(/\bchecked\b/);
        expect(printed).not.toMatch(/\bother\b/);
      }
    });

    test('finds the checked address under every spelling of the name', async () => {
      for (const host of ['db.example.test', 'DB.example.test', 'db.example.test.']) {
        const connection = { host, tls: { mode: 'VERIFY', ca: null } } as const;
        const files = createToolFiles(await folder());
        const environment = pinnedName(connection, { address: '127.0.0.2' }, files);
        const { stdout } = await runTool('/usr/bin/getent', ['ahostsv4', host], { files, environment });
        expect([host, stdout.split(/\s/)[0]]).toEqual([host, '127.0.0.2']);
      }
    });

    test.each(clients)('of version %s still refuses a certificate for another name', async (_version, bin) => {
      for (const tool of ['mariadb', 'mariadb-dump'] as const) {
        expect(await run(bin, tool, 'db.example.org')).toMatch(/2026|certificate|SSL|TLS/);
      }
    });
  },
);
