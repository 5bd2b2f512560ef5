import type { FaultBench } from './faultBench.js';

/** One fault, and the job that runs under it. */
export type Fault = {
  readonly group: string;
  /** Unique within its group. */
  readonly name: string;
  readonly attempt: (bench: FaultBench) => Promise<Trial>;
  /** The reason why this machine cannot run it. It is then skipped and reported. */
  readonly missing?: string | undefined;
};

/**
 * - FALSE_SUCCESS: the job is SUCCEEDED, but the independent check fails.
 * - STUCK: the job, or the worker, did not end within the limit.
 * - ORPHAN: the container has bytes that belong to no stored backup.
 * - PROCESS: a tool outlived the job.
 * - MISREPORTED: the report of the end is wrong or incomplete.
 * - NOT_REACHED: the fault did not happen, so nothing was tested.
 */
export type ProblemKind = 'FALSE_SUCCESS' | 'STUCK' | 'ORPHAN' | 'PROCESS' | 'MISREPORTED' | 'NOT_REACHED';

export type Problem = { readonly kind: ProblemKind; readonly what: string };

export type Trial = {
  /** The status of the job, with the code of a failure: `SUCCEEDED`, `FAILED TOOL_FAILED`. */
  readonly end: string;
  /** The message of a failure. */
  readonly sentence: string;
  readonly problems: readonly Problem[];
};

/** An injected fault: whether it happened, and how to remove it before the result is checked. */
export type Arming = { readonly reached: () => boolean; readonly disarm?: () => Promise<void> | void };
