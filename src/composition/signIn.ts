import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import type { SignInConfig } from '../config.js';
import { StowageError } from '../errors.js';
import { Secret } from '../secret.js';
import { isLoopback } from '../signIn/site.js';

const answered = z.object({ data: z.object({ createSignInLink: z.object({ url: z.string() }) }) });
const refused = z.object({ errors: z.array(z.object({ message: z.string() })) });

/** `stowage sign-in`: asks the running API for a one-time link, and prints it. */
export async function signIn(
  config: SignInConfig,
  { url = addressOf(config), print }: { readonly url?: string; readonly print: (line: string) => void },
): Promise<void> {
  if (!URL.canParse(url)) throw new StowageError('BAD_INPUT', `'${url}' is not a URL.`, { help: wayOut });
  const { protocol, hostname } = new URL(url);
  if (protocol !== 'https:' && !(protocol === 'http:' && isLoopback(hostname))) {
    throw new StowageError('BAD_INPUT', `The admin token is not sent to ${hostname}, because it is not https.`, {
      help: wayOut,
    });
  }
  const answer = await ask(url, config.adminToken ?? (await keptToken(config.dataFolder)));
  const link = answered.safeParse(answer);
  if (link.success) {
    print(link.data.data.createSignInLink.url);
    return;
  }
  const reason = refused.safeParse(answer).data?.errors[0]?.message ?? 'It did not answer as Stowage does.';
  throw new StowageError('UNAVAILABLE', `The API at ${url} gave no link: ${reason}`, { help: wayOut });
}

const wayOut =
  'Start the API first. If it is at another address, name that with --url, such as https://backup.example.org. STOWAGE_ADMIN_TOKEN, STOWAGE_ADMIN_TOKEN_FILE, or STOWAGE_DATA with the folder of `stowage up`, must be those of the API.';

async function ask(url: string, token: Secret): Promise<unknown> {
  try {
    const response = await fetch(`${url.replace(/\/+$/, '')}/graphql`, {
      method: 'POST',
      // A redirect could lead the token to another server.
      redirect: 'error',
      signal: AbortSignal.timeout(20_000),
      headers: { 'content-type': 'application/json', authorization: `Bearer ${token.reveal()}` },
      body: JSON.stringify({ query: 'mutation { createSignInLink { url } }' }),
    });
    return await response.json();
  } catch (error) {
    throw new StowageError('UNAVAILABLE', `The API at ${url} does not answer.`, { help: wayOut, cause: error });
  }
}

async function keptToken(dataFolder: string): Promise<Secret> {
  const path = join(dataFolder, 'admin-token');
  try {
    return new Secret((await readFile(path, 'utf8')).trim());
  } catch (error) {
    throw new StowageError('UNAVAILABLE', `The admin token cannot be read from ${path}.`, {
      help: 'Set STOWAGE_ADMIN_TOKEN or STOWAGE_ADMIN_TOKEN_FILE, or STOWAGE_DATA with the folder of `stowage up`, and run this as the same user.',
      cause: error,
    });
  }
}

function addressOf({ host, port }: SignInConfig): string {
  const reached = host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host;
  return `http://${reached.includes(':') ? `[${reached}]` : reached}:${port}`;
}
