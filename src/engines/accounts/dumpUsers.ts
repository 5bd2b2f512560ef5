import { openDumpPipeline } from '../pipeline/dumpPipeline.js';
import { judgeDump } from '../pipeline/judgePipeline.js';
import { plainOutput } from '../process/outputFilter.js';
import { requireProgram } from '../process/programs.js';
import { endedWell, howItEnded } from '../process/toolEnd.js';
import { createToolFiles } from '../process/toolFiles.js';
import { toolOutput } from '../process/toolOutput.js';
import type { Tools } from '../process/tools.js';
import type { DumpContext, PrepareDumpContext, RunningDump } from '../runningDump.js';
import { StowageError } from '../../errors.js';

/**
 * Writes the statements through the steps of a dump. They reach the pipeline as a file without a name, because they may
 * contain hashes of passwords.
 */
export async function dumpUsers(
  statements: string,
  tools: Tools,
  prepared: Pick<PrepareDumpContext, 'workFolder' | 'steps'>,
  context: DumpContext,
): Promise<RunningDump> {
  const pipeline = await openDumpPipeline({ ...prepared, tools, signal: context.signal });
  const files = createToolFiles(context.workFolder);
  const program = requireProgram('cat', 'coreutils', tools.folders);
  const tool = { program, args: [files.add(statements)], files, secrets: [], filter: plainOutput() };
  const running = await pipeline.run(tool, context);
  return {
    stored: running.stored,
    readBytes: () => running.plainBytes(),
    ended: running.ended.then((end) => ({
      ...end.tool,
      sizeBytes: end.observer.total().written ?? 0,
      storedSizeBytes: end.steps.at(-1)?.step.total().written ?? 0,
      failure: judgeDump(end, 'cat', () =>
        endedWell(end.tool)
          ? null
          : new StowageError('TOOL_FAILED', `cat ${howItEnded(end.tool)}.`, toolOutput(end.tool)),
      ),
    })),
  };
}
