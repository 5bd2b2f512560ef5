import type { Engine, EngineName } from './engine.js';
import { createMariadbEngine, type MariadbEngineOptions } from './mariadb/mariadbEngine.js';

/** Every engine that there is, by name. A name that is not in it is one that this version does not know to back up. */
export function createEngines(options: MariadbEngineOptions = {}): ReadonlyMap<EngineName, Engine> {
  return new Map([createMariadbEngine(options)].map((engine) => [engine.name, engine]));
}
