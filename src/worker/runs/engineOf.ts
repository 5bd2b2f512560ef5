import type { Engine } from '../../engines/engine.js';
import type { Engines } from '../../engines/engines.js';
import { StowageError } from '../../errors.js';

/** The engine of that name, which the worker claimed the job for. */
export function engineOf(engines: Engines, name: string): Engine {
  const engine = engines.get(name);
  if (engine === undefined) throw new StowageError('TOOL_MISSING', `This worker cannot handle ${name}.`);
  return engine;
}
