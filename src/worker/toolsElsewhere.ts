import { needOf, needsMetBy } from '../engines/toolNeed.js';
import type { ToolVersions } from '../engines/process/tools.js';
import type { RegisteredWorker } from '../postgres/contracts/workerRegistry.js';
import type { WorkerTools } from './workerTools.js';

/**
 * What a job needs that this worker lacks and that another running worker has. Undefined: the job failed for another
 * reason, or no other worker has it. A worker that has it itself returns undefined too, so a job is never handed over
 * in a circle.
 */
export async function toolsElsewhere(
  { engines, workers, workerId }: Pick<WorkerTools, 'engines' | 'workers' | 'workerId'>,
  engineName: string,
  thrown: unknown,
): Promise<string | undefined> {
  const engine = engines.get(engineName);
  const need = engine === undefined ? undefined : needOf(thrown, engine);
  if (engine === undefined || need === undefined) return undefined;
  const able = (await workers.list()).filter(
    (worker) => !worker.isLost && !worker.draining && needsMetBy(engine, toolsOf(worker, engineName)).includes(need),
  );
  return able.length === 0 || able.some(({ id }) => id === workerId) ? undefined : need;
}

function toolsOf({ engines }: RegisteredWorker, engineName: string): ToolVersions {
  const own = engines.filter(({ engine }) => engine === engineName);
  return Object.fromEntries(
    own.map(({ tool }) => [tool, own.filter((each) => each.tool === tool).map(({ version }) => version)]),
  );
}
