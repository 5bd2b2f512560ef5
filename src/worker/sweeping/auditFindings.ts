import type { AuditProblem, ContainerAudit } from '../../endpoints/containerAudit.js';
import { StowageError } from '../../errors.js';

/** How many names of unknown objects an audit shows. */
const sampleSize = 10;

export type AuditOutcome = {
  readonly audit: ContainerAudit;
  /** A backup was missing for the first time, so a second check must follow. */
  readonly needsSecondCheck: boolean;
  /** Why a deletion failed, or why a prefix could not be checked. */
  readonly problem: AuditProblem | null;
};

/** Collects the findings of an audit at the prefixes of one file endpoint. */
export class AuditFindings {
  #backups = 0;
  #missing = 0;
  #unknownObjects = 0;
  #unknownSizeBytes = 0;
  #removedSizeBytes = 0;
  #needsSecondCheck = false;
  #problem: AuditProblem | null = null;
  readonly #sample: string[] = [];
  readonly #failedPrefixes: { readonly prefix: string; readonly error: unknown }[] = [];

  addBackup(isThere: boolean): void {
    this.#backups += 1;
    if (!isThere) this.#missing += 1;
  }

  addUnknown(name: string, objects: number, sizeBytes: number): void {
    this.#unknownObjects += objects;
    this.#unknownSizeBytes += sizeBytes;
    if (this.#sample.length < sampleSize) this.#sample.push(name);
  }

  addRemoved(sizeBytes: number): void {
    this.#removedSizeBytes += sizeBytes;
  }

  addFailedRemoval(error: unknown): void {
    this.#problem ??= auditProblem(error);
  }

  addFailedPrefix(prefix: string, error: unknown): void {
    this.#failedPrefixes.push({ prefix, error });
  }

  requestSecondCheck(): void {
    this.#needsSecondCheck = true;
  }

  /**
   * `prefixes` is the number of prefixes that the audit had to check. Throws the first error if it could check none.
   */
  outcome(at: Date, prefixes: number): AuditOutcome {
    const [first] = this.#failedPrefixes;
    if (first !== undefined && this.#failedPrefixes.length === prefixes) throw first.error;
    return {
      audit: {
        at: at.toISOString(),
        backups: this.#backups,
        missing: this.#missing,
        unknownObjects: this.#unknownObjects,
        unknownSizeBytes: this.#unknownSizeBytes,
        unknownSample: this.#sample,
        removedSizeBytes: this.#removedSizeBytes,
        prefixesNotSeen: this.#failedPrefixes.map(({ prefix }) => prefix),
      },
      needsSecondCheck: this.#needsSecondCheck,
      problem: first === undefined ? this.#problem : prefixProblem(first),
    };
  }
}

export function auditProblem(error: unknown): AuditProblem {
  if (error instanceof StowageError) return { code: error.code, message: error.message, help: error.help };
  return { code: 'INTERNAL', message: 'The audit ended with an error that Stowage does not know.', help: null };
}

function prefixProblem({ prefix, error }: { readonly prefix: string; readonly error: unknown }): AuditProblem {
  const problem = auditProblem(error);
  const where = prefix === '' ? 'The place without a prefix' : `The prefix "${prefix}"`;
  return { ...problem, message: `${where} could not be checked. ${problem.message}` };
}
