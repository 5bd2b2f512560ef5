import type { Engine } from '../../src/engines/engine.js';
import type { ServiceConnection } from '../../src/engines/serviceConnection.js';
import { mariadbBench, mysqlBench } from './mysqlFamilyBench.js';
import { mongodbBench } from './mongodbBench.js';
import { postgresqlBench } from './postgresqlBench.js';

/** A source and a target of one engine, and the commands of the shell that a person would type for them. */
export type BenchEngine = {
  readonly engine: Engine;
  readonly source: ServiceConnection;
  readonly target: ServiceConnection;
  /** Writes a dump of the database `bench` to standard output, with the options that our engine uses. */
  readonly dumpCommand: string;
  /** Restores such a dump from standard input into the target. */
  readonly restoreCommand: string;
  /** Creates `bench` with about `gib` GiB of orders. */
  fillOrders(gib: number): Promise<void>;
  /** Creates `bench` with `tables` tables or collections of ten rows. */
  makeTables(tables: number): Promise<void>;
  clearTarget(): Promise<void>;
  stop(): Promise<void>;
};

export const engineNames = ['mariadb', 'mysql', 'postgresql', 'mongodb'] as const;
export type BenchEngineName = (typeof engineNames)[number];

/** Starts the servers. `folder` is for files with passwords. */
export const startBenchEngine: Readonly<Record<BenchEngineName, (folder: string) => Promise<BenchEngine>>> = {
  mariadb: mariadbBench,
  mysql: mysqlBench,
  postgresql: postgresqlBench,
  mongodb: mongodbBench,
};
