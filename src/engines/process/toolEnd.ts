/** How a program ended. */
export type ToolEnd = {
  readonly exitCode: number | null;
  readonly signal: string | null;
  /** The last lines of standard error, cleared of secrets, at most 4 KiB. */
  readonly lastLines: string;
};

export function endedWell(end: ToolEnd): boolean {
  return end.exitCode === 0;
}

/** For example "ended with exit code 2", "was killed by SIGKILL". */
export function howItEnded(end: ToolEnd): string {
  if (end.signal !== null) return `was killed by ${end.signal}`;
  return end.exitCode === null ? 'could not be started' : `ended with exit code ${end.exitCode}`;
}
