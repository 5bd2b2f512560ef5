import { mkdtemp } from 'node:fs/promises';
import { join } from 'node:path';
import type { Engine } from '../../../src/engines/engine.js';
import type { Tools } from '../../../src/engines/process/tools.js';
import type { ServiceSettings } from '../../../src/services/service.js';
import { faultyTool } from '../../fixtures/faultyTools.js';
import { startTcpProxy, type TcpProxy } from '../../fixtures/servers/tcpProxy.js';
import type { WorkerHarness } from '../../fixtures/workerHarness.js';
import { mongodbServers } from './mongodbServers.js';
import { mysqlServers } from './mysqlServers.js';
import { postgresqlServers } from './postgresqlServers.js';

/** The engines whose tools and servers are tried besides MariaDB, which the other groups use. */
export const otherEngines = ['MYSQL', 'POSTGRESQL', 'MONGODB'] as const;
export type OtherEngine = (typeof otherEngines)[number];

/** Two real servers of an engine: the source has the database `shop`, and the target is empty. */
export type EngineServers = {
  readonly dumpTool: string;
  readonly restoreTool: string;
  /** The folder with all tools of the engine. */
  readonly toolFolder: string;
  /** Programs that must be beside a tool, so that the engine finds it. */
  readonly besideTool: readonly string[];
  readonly login: { readonly username: string | null; readonly password: string | null };
  readonly settings: Partial<ServiceSettings>;
  readonly ports: { readonly source: number; readonly target: number };
  createEngine(tools: Tools): Engine;
  /** Everything in `shop`, read without the code under test. Undefined: there is no such database. */
  contents(of: 'source' | 'target'): Promise<string | undefined>;
  clearTarget(): Promise<void>;
  /** Ends our sessions on a server. Absent: the server cannot. */
  readonly endSessions?: (of: 'source' | 'target') => Promise<void>;
  /** Gives the account of the service another password, or its own again. Absent: the server checks no login. */
  readonly setPassword?: (of: 'source' | 'target', password: 'OTHER' | 'OWN') => Promise<void>;
  /** Removes a table that a dump reads last, and creates it again with the same contents. */
  dropLastTable(): Promise<void>;
  createLastTable(): Promise<void>;
  stop(): Promise<void>;
};

const startServers: Readonly<Record<OtherEngine, () => Promise<EngineServers>>> = {
  MYSQL: mysqlServers,
  POSTGRESQL: postgresqlServers,
  MONGODB: mongodbServers,
};

/** The servers of an engine behind proxies, registered as services. */
export type EngineGround = EngineServers & {
  readonly name: OtherEngine;
  readonly serviceId: string;
  readonly targetServiceId: string;
  readonly sourceLine: TcpProxy;
  readonly targetLine: TcpProxy;
  /** An engine whose `program` is replaced by a script (see `faultyTool`). */
  faultyEngine(program: string, script: string): Promise<Engine>;
  engine(): Engine;
  heal(): Promise<void>;
};

/** Faulty tools are written below `folder`. */
export async function startEngineGround(
  name: OtherEngine,
  { harness, folder }: { readonly harness: WorkerHarness; readonly folder: string },
): Promise<EngineGround> {
  const servers = await startServers[name]();
  const { ports, login, settings, toolFolder, besideTool } = servers;
  const [sourceLine, targetLine] = await Promise.all([startTcpProxy(ports.source), startTcpProxy(ports.target)]);
  const addService = (line: TcpProxy, more: Partial<ServiceSettings>) =>
    harness.addService({ port: line.port, ...login }, { engine: name, ...settings, ...more });
  return {
    ...servers,
    name,
    ...{ sourceLine, targetLine },
    serviceId: await addService(sourceLine, { databases: ['shop'] }),
    targetServiceId: await addService(targetLine, {}),
    engine: () => servers.createEngine({ folders: [toolFolder] }),
    async faultyEngine(program, script) {
      const below = await mkdtemp(join(folder, 'engine-'));
      if (!besideTool.includes(program)) {
        return servers.createEngine({ folders: [await faultyTool(program, script, below), toolFolder] });
      }
      // An engine that finds the real tool too may prefer it.
      const own = { realFolder: toolFolder, beside: besideTool };
      return servers.createEngine({ folders: [await faultyTool(program, script, below, own)] });
    },
    async heal() {
      await Promise.all([sourceLine.heal(), targetLine.heal()]);
    },
    async stop() {
      await Promise.all([sourceLine.stop(), targetLine.stop()]);
      await servers.stop();
    },
  };
}
