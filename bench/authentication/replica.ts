import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { TestDatabase } from '../../test/fixtures/servers/postgres.js';

/** Starts another replica of the API in a process of its own. */
export async function startReplica(
  { appUrl, ownerUrl }: TestDatabase,
  masterKey: string,
): Promise<{ readonly url: string; stop(): Promise<void> }> {
  const child = spawn(
    process.execPath,
    ['--no-warnings', '--import', '@swc-node/register/esm-register', join(import.meta.dirname, 'replicaProcess.ts')],
    {
      stdio: ['pipe', 'pipe', 'inherit'],
      env: { ...process.env, APP_URL: appUrl, OWNER_URL: ownerUrl, MASTER_KEY: masterKey },
    },
  );
  const ended = once(child, 'exit');
  const firstLine = once(createInterface({ input: child.stdout }), 'line') as Promise<[string]>;
  const failed = ended.then(() => {
    throw new Error('The replica ended before it had started.');
  });
  const [url] = await Promise.race([firstLine, failed]);
  return {
    url,
    async stop() {
      child.stdin.end();
      await ended;
    },
  };
}
