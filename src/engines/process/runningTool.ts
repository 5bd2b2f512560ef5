/** A tool that was started as the head of its own process group, without a shell and with a cleared environment. */
export type RunningTool = {
  /** Settles when the process and its group are gone; never rejects for how the tool ended. */
  readonly ended: Promise<ToolEnd>;
};

export type ToolEnd = {
  readonly exitCode: number | null;
  readonly signal: string | null;
  /** The last lines of standard error, cleared of secrets, at most 4 KiB. */
  readonly lastLines: string;
};
