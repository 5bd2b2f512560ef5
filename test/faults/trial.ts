import type { FaultBench } from './faultBench.js';

/** One fault, and what is tried under it. */
export type Fault = {
  readonly group: string;
  /** Unique within its group. */
  readonly name: string;
  readonly attempt: (bench: FaultBench) => Promise<Trial>;
  /** Why it cannot be tried on this machine: then it is left out, and said so. */
  readonly missing?: string | undefined;
};

/**
 * - FALSE_SUCCESS: the job is SUCCEEDED, and the independent reckoning finds otherwise.
 * - STUCK: the job, or the worker, did not end within the limit.
 * - ORPHAN: bytes are left in the container that belong to no stored backup.
 * - PROCESS: a tool outlived the job.
 * - MISREPORTED: the end says something other than what happened, or too little.
 * - NOT_REACHED: the fault did not happen, so nothing was tried.
 */
export type ProblemKind = 'FALSE_SUCCESS' | 'STUCK' | 'ORPHAN' | 'PROCESS' | 'MISREPORTED' | 'NOT_REACHED';

export type Problem = { readonly kind: ProblemKind; readonly what: string };

export type Trial = {
  /** The job's status, with its code where it failed: `SUCCEEDED`, `FAILED TOOL_FAILED`. */
  readonly end: string;
  /** What a person reads of a failure. */
  readonly sentence: string;
  readonly problems: readonly Problem[];
};

/** What was injected: whether it happened, and how to take it back before the result is looked at. */
export type Arming = { readonly reached: () => boolean; readonly disarm?: () => Promise<void> | void };
