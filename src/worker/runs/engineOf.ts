import type { Engine, EngineName } from '../../engines/engine.js';
import { StowageError } from '../../errors.js';

/** The engine of that name, which the worker claimed the job for. */
export function engineOf(engines: ReadonlyMap<EngineName, Engine>, name: string): Engine {
  const engine = [...engines.values()].find((each) => each.name === name);
  if (engine === undefined) throw new StowageError('TOOL_MISSING', `This worker cannot handle ${name}.`);
  return engine;
}
