import type { Engine } from './engine.js';
import { createMariadbEngine, mariadbDriver } from './mariadb/mariadbEngine.js';
import { createMongodbEngine } from './mongodb/mongodbEngine.js';
import { mongodbDriver } from './mongodb/session/session.js';
import { createMysqlEngine, mysqlDriver } from './mysql/mysqlEngine.js';
import { createPostgresqlEngine } from './postgresql/postgresqlEngine.js';
import { postgresqlDriver } from './postgresql/session/session.js';
import type { AllowAddress } from './network/serverAddress.js';
import type { Tools } from './process/tools.js';

/** The options with which every engine is created. */
export type EngineOptions = {
  /** Decides whether an address may be connected to. Default: all are allowed. */
  readonly allowAddress?: AllowAddress;
  /** How programs are found and started. Default: in the folders of the system, under the uid of this process. */
  readonly tools?: Tools;
  /**
   * Starts the process for the next conversation with a server in advance, so that no job waits for it. Default: false.
   */
  readonly keepsSpare?: boolean;
};

/** A new engine needs one line here. */
const known = {
  MARIADB: createMariadbEngine,
  MYSQL: createMysqlEngine,
  POSTGRESQL: createPostgresqlEngine,
  MONGODB: createMongodbEngine,
} as const satisfies Readonly<Record<string, (options: EngineOptions) => Engine>>;

/** The modules that the processes load that talk to servers. */
export const drivers: readonly URL[] = [mariadbDriver, mysqlDriver, postgresqlDriver, mongodbDriver];

export type EngineName = keyof typeof known;

/** The names of all engines that the API knows. */
export const engineNames = Object.keys(known) as readonly EngineName[];

/** The engines that this process can use, by name. */
export type Engines = ReadonlyMap<string, Engine>;

export function createEngines(options: EngineOptions = {}): Engines {
  const engines = Object.values(known).map((create) => create(options));
  return new Map(engines.map((engine) => [engine.name, engine]));
}
