import type { ToolVersions } from '../engines/process/tools.js';
import { needsMetBy } from '../engines/toolNeed.js';
import type { WorkerTools } from './workerTools.js';

const staleMs = 60_000;

/** An engine whose tools are all installed on this machine, with their versions by name. */
export type RunnableEngine = {
  readonly name: string;
  readonly tools: ToolVersions;
  /** See `needsMetBy`. */
  readonly needs: readonly string[];
};

/**
 * Returns a function that lists the engines whose tools are installed on this machine. It checks at most once a minute.
 * The worker claims no jobs of other engines.
 */
export function runnableEngines(tools: WorkerTools): () => Promise<readonly RunnableEngine[]> {
  let latest: { readonly atMs: number; readonly engines: Promise<readonly RunnableEngine[]> } | undefined;
  return () => {
    const atMs = performance.now();
    if (latest === undefined || atMs - latest.atMs > staleMs) latest = { atMs, engines: findEngines(tools) };
    return latest.engines;
  };
}

async function findEngines(tools: WorkerTools): Promise<readonly RunnableEngine[]> {
  const engines: RunnableEngine[] = [];
  for (const [name, engine] of tools.engines) {
    try {
      const versions = await engine.tools();
      engines.push({ name, tools: versions, needs: needsMetBy(engine, versions) });
    } catch (error) {
      tools.log.debug({ err: error, engine: name }, 'The tools of an engine are not installed');
    }
  }
  return engines;
}
