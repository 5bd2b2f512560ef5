import type { EngineName } from '../engines/engine.js';
import type { WorkerTools } from './workerTools.js';

const staleMs = 60_000;

/** Tells which engines' tools are installed on this machine, looked at once a minute: the worker claims no job of others. */
export function runnableEngines(tools: WorkerTools): () => Promise<readonly EngineName[]> {
  let looked: { readonly atMs: number; readonly names: Promise<readonly EngineName[]> } | undefined;
  return () => {
    const atMs = performance.now();
    if (looked === undefined || atMs - looked.atMs > staleMs) looked = { atMs, names: look(tools) };
    return looked.names;
  };
}

async function look(tools: WorkerTools): Promise<readonly EngineName[]> {
  const names: EngineName[] = [];
  for (const [name, engine] of tools.engines) {
    try {
      await engine.tools();
      names.push(name);
    } catch (error) {
      tools.log.debug({ err: error, engine: name }, 'The tools of an engine are not installed');
    }
  }
  return names;
}
