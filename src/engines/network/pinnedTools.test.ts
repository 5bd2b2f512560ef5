import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { TLSSocket } from 'node:tls';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { runTool } from '../../../test/fixtures/processes/runTool.js';
import { describeWith } from '../../../test/fixtures/requirements.js';
import { makeCertificates, type Certificates } from '../../../test/fixtures/servers/certificates.js';
import { mongoTools, mongoToolsMissing } from '../../../test/fixtures/servers/mongoTools.js';
import { mysqlHome, mysqlMissing, startMysql } from '../../../test/fixtures/servers/mysql.js';
import { postgresBin, postgresVersionsMissing } from '../../../test/fixtures/servers/postgresVersions.js';
import { Secret } from '../../secret.js';
import { addConfigFile } from '../mongodb/tools/configFile.js';
import { toolEnvironment } from '../mongodb/tools/toolEnvironment.js';
import { mysqlDialect } from '../mysql/mysqlDialect.js';
import { addOptionFile } from '../mysqlFamily/tools/optionFile.js';
import { addServiceFile, serviceArgument } from '../postgresql/tools/serviceFile.js';
import { findClients } from '../process/programs.js';
import { createToolFiles, type ToolFiles } from '../process/toolFiles.js';
import type { ServiceConnection } from '../serviceConnection.js';
import { pinnedName } from './pinnedName.js';

/** What reached one address: connections, and how many of them accepted the certificate. */
type Listener = { readonly server: Server; connections: number; accepted: number; onClosed: () => void };

/** The name `localhost` resolves to 127.0.0.1. The address that was checked is 127.0.0.2. Both have its certificate. */
const checkedAddress = '127.0.0.2';
const folders: string[] = [];
const newFolder = async () => {
  const made = await mkdtemp(join(tmpdir(), 'stowage-pinned-'));
  folders.push(made);
  return made;
};
let certificates: Certificates;
let checked: Listener;
let other: Listener;
let port: number;

beforeAll(async () => {
  certificates = await makeCertificates(await newFolder(), 'localhost');
  other = await listen('127.0.0.1', 0);
  ({ port } = other.server.address() as AddressInfo);
  checked = await listen(checkedAddress, port);
});
afterAll(async () => {
  for (const { server } of [checked, other]) server.close();
  for (const each of folders) await rm(each, { recursive: true });
});

/** Counts what arrives, starts TLS where the client asks for it, and then closes. */
async function listen(address: string, wantedPort: number): Promise<Listener> {
  const secure = (socket: Socket, first?: Buffer) => {
    socket.pause();
    if (first !== undefined) socket.unshift(first);
    const [key, cert] = [certificates.keyFile, certificates.certificateFile].map((file) => readFileSync(file));
    const tls = new TLSSocket(socket, { isServer: true, ...(key && cert ? { key, cert } : {}) });
    tls.on('error', () => undefined);
    // With TLS 1.3 the server is ready before the client has verified it: only data shows that it has.
    tls.once('data', () => {
      listener.accepted += 1;
      tls.destroy();
    });
  };
  const server = createServer((socket) => {
    listener.connections += 1;
    socket.on('error', () => undefined);
    socket.once('close', () => listener.onClosed());
    socket.once('data', (first) => {
      // PostgreSQL's request for TLS has eight bytes, and `S` agrees.
      const asks = first.length === 8 && first.readInt32BE(4) === 80_877_103;
      if (asks) socket.write('S');
      secure(socket, asks ? undefined : first);
    });
  });
  const listener: Listener = { server, connections: 0, accepted: 0, onClosed: () => undefined };
  server.listen(wantedPort, address);
  await once(server, 'listening');
  return listener;
}

const service = (host: string, overrides: Partial<ServiceConnection> = {}): ServiceConnection => ({
  ...{ host, port, username: 'backup', password: new Secret('p'), authSource: null, databases: null },
  tls: { mode: 'VERIFY', ca: certificates.ca },
  ...overrides,
});

/** Runs a tool, which always fails here, and returns what reached the two addresses meanwhile. */
async function reached(run: (files: ToolFiles, signal: AbortSignal) => Promise<unknown>): Promise<object> {
  for (const each of [checked, other]) [each.connections, each.accepted] = [0, 0];
  const ended = new AbortController();
  // A tool of MongoDB would try again for 15 s.
  for (const each of [checked, other]) each.onClosed = () => ended.abort();
  await run(createToolFiles(await newFolder()), ended.signal);
  return {
    checked: { reached: checked.connections > 0, accepted: checked.accepted > 0 },
    other: { reached: other.connections > 0, accepted: other.accepted > 0 },
  };
}

const nothing = { reached: false, accepted: false };

describeWith({ 'postgresql-versions': postgresVersionsMissing }, 'tools of PostgreSQL with the mode VERIFY', () => {
  const run = (program: string, host: string) => (files: ToolFiles, signal: AbortSignal) => {
    const environment = addServiceFile(service(host), { address: checkedAddress }, files, {
      ...{ database: 'shop', applicationName: 'stowage', major: 15 },
    });
    return runTool(program, [`--dbname=${serviceArgument}`], { files, environment, signal });
  };
  // The tools of version 18 that the tests use were built without TLS.
  const programs = ['pg_dump', 'psql'].map((tool) => join(postgresBin('15'), tool));

  test.each(programs)('%s connects to the address that was checked, and verifies the name', async (program) => {
    expect(await reached(run(program, 'localhost'))).toEqual({
      checked: { reached: true, accepted: true },
      other: nothing,
    });
    expect(await reached(run(program, 'db.example.org'))).toEqual({
      checked: { reached: true, accepted: false },
      other: nothing,
    });
  });
});

describeWith({ 'mongo-tools': mongoToolsMissing() }, 'tools of MongoDB with the mode VERIFY', () => {
  const run = (tool: string, host: string) => (files: ToolFiles, signal: AbortSignal) => {
    const [program] = findClients(tool, mongoTools);
    const member = service(host);
    const config = addConfigFile(member, { address: checkedAddress }, files, 'stowage');
    const environment = toolEnvironment(member, { address: checkedAddress }, files);
    return runTool(program ?? tool, [`--config=${config}`, '--archive'], { files, environment, signal });
  };

  test.each(['mongodump', 'mongorestore'])(
    '%s connects to the address that was checked, and verifies the name',
    async (tool) => {
      expect(await reached(run(tool, 'localhost'))).toEqual({
        checked: { reached: true, accepted: true },
        other: nothing,
      });
      expect(await reached(run(tool, 'db.example.org'))).toEqual({
        checked: { reached: true, accepted: false },
        other: nothing,
      });
    },
  );
});

describeWith({ mysql: mysqlMissing }, 'tools of MySQL with the mode VERIFY', () => {
  test.each(['mysql', 'mysqldump'])(
    '%s connects to the address that was checked, and verifies the name',
    async (tool) => {
      const { certificateFile, keyFile } = certificates;
      const server = await startMysql([
        ...[`--ssl-cert=${certificateFile}`, `--ssl-key=${keyFile}`, '--bind-address=127.0.0.2'],
      ]);
      const decoy = createServer((socket) => socket.destroy()).listen(server.port, '127.0.0.1');
      let reachedDecoy = 0;
      decoy.on('connection', () => (reachedDecoy += 1));
      try {
        const run = async (host: string) => {
          const connection = server.connection({
            ...{ host, port: server.port },
            tls: { mode: 'VERIFY', ca: certificates.ca },
          });
          const files = createToolFiles(await newFolder());
          const program = join(mysqlHome, 'bin', tool);
          const pinned = { address: checkedAddress };
          const optionFile = await addOptionFile(connection, pinned, files, { program, dialect: mysqlDialect });
          const args = tool === 'mysql' ? ['-e', 'SELECT 1'] : ['--no-data', '--databases', 'sys'];
          const environment = pinnedName(connection, pinned, files);
          return runTool(program, [`--defaults-file=${optionFile}`, ...args], { files, environment });
        };
        expect(await run('localhost')).toMatchObject({ exitCode: 0 });
        expect((await run('db.example.org')).lastLines).toMatch(/2026/);
        expect(reachedDecoy).toBe(0);
      } finally {
        decoy.close();
        await server.stop();
      }
    },
  );
});
