import type { Engine } from './engine.js';
import { createMariadbEngine } from './mariadb/mariadbEngine.js';
import type { AllowAddress } from './network/serverAddress.js';

/** What every engine is made with. */
export type EngineOptions = {
  /** Decides about every address that is connected to. Default: all are allowed. */
  readonly allowAddress?: AllowAddress;
  /** Folders in which tools are searched for before the system's. */
  readonly toolsPath?: readonly string[];
};

/** A new engine is one line here. Null: the API names it, and this version cannot back it up yet. */
const known = {
  MARIADB: createMariadbEngine,
  MYSQL: null,
  POSTGRESQL: null,
  MONGODB: null,
} as const satisfies Readonly<Record<string, ((options: EngineOptions) => Engine) | null>>;

export type EngineName = keyof typeof known;

/** Every name that the API knows. */
export const engineNames = Object.keys(known) as readonly EngineName[];

/** By name, those that this process can use. */
export type Engines = ReadonlyMap<string, Engine>;

export function createEngines(options: EngineOptions = {}): Engines {
  const engines = Object.values(known).flatMap((create) => (create === null ? [] : [create(options)]));
  return new Map(engines.map((engine) => [engine.name, engine]));
}
