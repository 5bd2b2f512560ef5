import type { WorkerTools } from './workerTools.js';

const staleMs = 60_000;

/** An engine whose tools are all installed on this machine, with their versions by name. */
export type RunnableEngine = { readonly name: string; readonly tools: Readonly<Record<string, string>> };

/** Tells which engines' tools are installed on this machine, looked at once a minute: the worker claims no job of others. */
export function runnableEngines(tools: WorkerTools): () => Promise<readonly RunnableEngine[]> {
  let looked: { readonly atMs: number; readonly engines: Promise<readonly RunnableEngine[]> } | undefined;
  return () => {
    const atMs = performance.now();
    if (looked === undefined || atMs - looked.atMs > staleMs) looked = { atMs, engines: look(tools) };
    return looked.engines;
  };
}

async function look(tools: WorkerTools): Promise<readonly RunnableEngine[]> {
  const engines: RunnableEngine[] = [];
  for (const [name, engine] of tools.engines) {
    try {
      engines.push({ name, tools: await engine.tools() });
    } catch (error) {
      tools.log.debug({ err: error, engine: name }, 'The tools of an engine are not installed');
    }
  }
  return engines;
}
