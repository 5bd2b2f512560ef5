/** All problems of the settings, one sentence each. */
export class ConfigError extends Error {
  /** The exit code EX_CONFIG of sysexits.h. */
  readonly exitCode = 78;

  constructor(readonly problems: readonly string[]) {
    super(problems.join('\n'));
    this.name = 'ConfigError';
  }
}
