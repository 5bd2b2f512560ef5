import { StowageError, type ErrorCode } from '../../errors.js';
import { endedWell, howItEnded } from '../process/toolEnd.js';
import { toolOutput } from '../process/toolOutput.js';
import type { StepEnd } from './pipelineStep.js';
import type { PipelineEnd } from './runningPipeline.js';

type Failure = StowageError | null;

/**
 * Whether all bytes that the dump tool wrote passed every step. If a process fails, the processes before it cannot
 * write, and those after it see an early end. So the last process that failed is the cause. `toolFailure` judges the
 * dump tool, and is called only if all steps succeeded.
 */
export function judgeDump(end: PipelineEnd, toolName: string, toolFailure: () => Failure): Failure {
  return (
    failedStep(end) ??
    toolFailure() ??
    emptyDump(end, toolName) ??
    unreportedBytes(end.steps) ??
    lostBytes(end, 'INCOMPLETE_DUMP')
  );
}

/** Like `judgeDump`, for a restore. The restore tool comes last, so its own failure is the cause. */
export function judgeRestore(end: PipelineEnd, toolFailure: () => Failure): Failure {
  const observed = end.steps.filter(({ step }) => step === end.observer);
  return (
    toolFailure() ??
    failedStep(end) ??
    unreportedBytes(observed) ??
    lostBytes(end, 'TOOL_FAILED') ??
    nothingRestored(end)
  );
}

function failedStep({ steps }: PipelineEnd): Failure {
  const failed = steps.findLast(({ end }) => !endedWell(end));
  if (failed !== undefined) {
    const { step, end } = failed;
    return new StowageError('TOOL_FAILED', `${step.title} ${howItEnded(end)}.`, toolOutput(end));
  }
  return null;
}

function emptyDump({ observer, tool }: PipelineEnd, toolName: string): Failure {
  if (observer.total().read !== 0) return null;
  return new StowageError('EMPTY_DUMP', `${toolName} wrote no bytes.`, {
    ...toolOutput(tool),
    help: `Run ${toolName} by hand on the worker to check that it works, then start the backup again.`,
  });
}

function unreportedBytes(steps: readonly StepEnd[]): Failure {
  const silent = steps.find(({ step }) => step.total().read === undefined || step.total().written === undefined);
  if (silent === undefined) return null;
  const { step, end } = silent;
  return new StowageError('TOOL_VERSION', `${step.title} did not report how much it read and wrote.`, {
    help: `Install ${step.needs} on the worker.`,
    toolOutput: end.lastLines,
  });
}

/** Each pair of neighbours is compared, because a byte that is lost between two steps changes no checksum. */
function lostBytes({ steps }: PipelineEnd, code: ErrorCode): Failure {
  for (const [index, { step: to }] of steps.entries()) {
    const from = steps[index - 1]?.step;
    const [written, read] = [from?.total().written, to.total().read];
    if (from === undefined || written === undefined || read === undefined || written === read) continue;
    const message = `${to.title} read ${read} bytes of the ${written} that the step before it wrote.`;
    return new StowageError(code, message, {
      help: 'It is tried again. If it recurs, check the programs that are installed on the worker.',
      retriable: true,
    });
  }
  return null;
}

function nothingRestored({ observer }: PipelineEnd): Failure {
  if (observer.total().written !== 0) return null;
  return new StowageError('TOOL_FAILED', 'The restore did nothing: no byte reached the restore tool.', {
    help: 'The tools reported no error. Read the log of the worker at that time, and try again.',
  });
}
