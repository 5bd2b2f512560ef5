import { readFile } from 'node:fs/promises';
import type { Log } from '../log.js';
import type { Secret } from '../secret.js';
import { installationToken, type Authenticate } from '../server/authenticate.js';
import type { SignInChanges } from '../server/signInChanges.js';
import { installationViewer } from '../server/viewer.js';
import { tokenLines } from '../settingChecks.js';
import type { Closing } from './closing.js';

export type AdminTokenConfig = {
  /** The token of the start. */
  readonly adminToken: Secret;
  /** The file with the valid tokens, which is read again and again. Absent or null: the token never changes. */
  readonly adminTokenFile?: string | null;
};

const readEveryMs = 2_000;

/**
 * Accepts the installation-level tokens. With a file, each of its tokens is valid, and a change of the file takes effect within
 * about 2 seconds, without a restart. While the file cannot be read or holds no valid token, the last valid tokens stay.
 */
export function adminTokens(
  { adminToken, adminTokenFile = null }: AdminTokenConfig,
  tools: { readonly signInChanges: SignInChanges; readonly log: Log; readonly closing: Closing },
  everyMs = readEveryMs,
): Authenticate {
  if (adminTokenFile === null) return installationToken(() => [adminToken]);
  const file = new TokenFile(adminTokenFile, adminToken, tools);
  const timer = setInterval(() => file.read(), everyMs);
  tools.closing.add('admin tokens', () => {
    clearInterval(timer);
    return file.reading;
  });
  file.read();
  return installationToken(() => file.tokens);
}

class TokenFile {
  tokens: readonly Secret[];
  reading: Promise<void> = Promise.resolve();
  #problem: string | undefined;

  constructor(
    private readonly path: string,
    first: Secret,
    private readonly tools: { readonly signInChanges: SignInChanges; readonly log: Log },
  ) {
    this.tokens = [first];
  }

  read(): void {
    this.reading = this.reading.then(() => this.#read());
  }

  async #read(): Promise<void> {
    const text = await readFile(this.path, 'utf8').catch((error: unknown) => error);
    const read = typeof text === 'string' ? tokenLines.safeParse(text) : undefined;
    if (read?.success !== true) {
      const problem = read === undefined ? 'cannot be read' : 'holds no valid tokens';
      if (problem !== this.#problem) {
        this.tools.log.warn(
          `STOWAGE_ADMIN_TOKEN_FILE (${this.path}) ${problem} now. The last valid tokens stay valid.`,
        );
      }
      this.#problem = problem;
      return;
    }
    this.#problem = undefined;
    this.#use(read.data);
  }

  #use(tokens: readonly Secret[]): void {
    const values = tokens.map((token) => token.reveal());
    const before = this.tokens.map((token) => token.reveal());
    if (values.join('\n') === before.join('\n')) return;
    this.tokens = tokens;
    this.tools.log.info(`The installation-level tokens have changed. Number of valid tokens: ${tokens.length}.`);
    // The open WebSockets of a token that is no longer valid are closed.
    if (before.some((token) => !values.includes(token))) this.tools.signInChanges.report(installationViewer.subject);
  }
}
