import type { Engine } from '../../engines/engine.js';
import type { Engines } from '../../engines/engines.js';
import { StowageError } from '../../errors.js';

/** Returns the engine of that name. Throws TOOL_MISSING when this worker does not have it. */
export function engineNamed(engines: Engines, name: string): Engine {
  const engine = engines.get(name);
  if (engine === undefined) throw new StowageError('TOOL_MISSING', `This worker cannot handle ${name}.`);
  return engine;
}
