import { z } from 'zod';
import { StowageError } from '../../errors.js';
import type { Role } from '../../server/viewer.js';
import type { PinnedFetch } from '../provider/pinnedFetch.js';

/** The role that a platform gives a person in a service instance. TOKEN_REFUSED: it does not accept the person's token. */
export type PlatformAnswer = Role | 'NONE' | 'TOKEN_REFUSED';

const permissions = z.object({ read: z.boolean(), manage: z.boolean() });

const timeoutMs = 5_000;

/** The Cloud Controller of Cloud Foundry, which knows who may read and manage a service instance. */
export class CloudFoundry {
  constructor(
    /** Without a slash at the end. */
    private readonly url: string,
    private readonly fetch: PinnedFetch,
  ) {}

  /** The name for people. */
  get name(): string {
    return new URL(this.url).host;
  }

  /**
   * Asks with the access token of the person (Cloud Foundry API v3, "Get permissions for a service instance"). Throws
   * UNAVAILABLE if there is no clear answer within 5 s.
   */
  async roleAt(accessToken: string, instanceId: string): Promise<PlatformAnswer> {
    const answer = await this.#ask(accessToken, instanceId);
    if (answer.status === 401) return 'TOKEN_REFUSED';
    // 403: the token lacks the scope. 404: the platform does not know the instance.
    if (answer.status === 403 || answer.status === 404) return 'NONE';
    const known = answer.status === 200 ? permissions.safeParse(parsed(await answer.text())).data : undefined;
    if (known === undefined) throw this.#noAnswer(new Error(`The status of the answer is ${answer.status}.`));
    if (known.manage) return 'ADMIN';
    return known.read ? 'VIEWER' : 'NONE';
  }

  async #ask(accessToken: string, instanceId: string): Promise<Response> {
    try {
      return await this.fetch(`${this.url}/v3/service_instances/${encodeURIComponent(instanceId)}/permissions`, {
        headers: { accept: 'application/json', authorization: `Bearer ${accessToken}` },
        signal: AbortSignal.timeout(timeoutMs),
      });
    } catch (error) {
      throw this.#noAnswer(error);
    }
  }

  #noAnswer(cause: unknown): StowageError {
    const message = `The platform ${this.name} does not answer whether you may see this service, so access is refused now.`;
    return new StowageError('UNAVAILABLE', message, { cause });
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
