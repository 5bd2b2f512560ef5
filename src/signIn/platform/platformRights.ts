import { createHash } from 'node:crypto';
import { badInput, StowageError } from '../../errors.js';
import type { Grant, Role } from '../../server/viewer.js';
import { openedTokens } from '../person.js';
import type { Sealing } from '../sealing.js';
import type { Session, Sessions } from '../sessions.js';
import type { CloudFoundry } from './cloudFoundry.js';

/** A service that is not removed, as the platform knows it. */
export type PlatformService = { readonly id: string; readonly projectId: string; readonly instanceId: string };

export type PlatformRightsTools = {
  readonly platform: Pick<CloudFoundry, 'roleAt' | 'name'>;
  readonly sessions: Pick<Sessions, 'tokensOf' | 'renewSoon' | 'end'>;
  readonly sealing: Sealing;
  /** The services with these ids that are not removed. */
  readonly servicesOf: (ids: readonly string[]) => Promise<readonly PlatformService[]>;
  /** The services of these service instances that are not removed. */
  readonly servicesOfInstances: (instanceIds: readonly string[]) => Promise<readonly PlatformService[]>;
  readonly isInstanceId: (text: string) => boolean;
  readonly log: { warn(fields: object, message: string): void };
};

/** A role in a service instance. ENDED: the session or the token opens nothing, because the platform refuses the token. */
export type PlatformRole = Role | 'NONE' | 'ENDED';

/**
 * How long an answer of the platform is used. Open WebSockets are checked again every `recheckEveryMs`. So a right that
 * is lost on the platform is lost here after both times and one request to the platform, which is less than 60 s.
 */
const answerAgeMs = 20_000;
export const recheckEveryMs = 20_000;
/** Many requests must not wait for a platform that does not answer. */
const failureAgeMs = 2_000;
/** A session or a token that tries many instance ids must not send as many requests to the platform. */
const mostAtOnce = 50;
/** The number of service instances that a request with a token may name. */
const mostNamed = 20;

type Known = { readonly role: Promise<PlatformRole>; until: number };

/** The rights that the platform gives to people, by session or token. Each process keeps its answers. */
export class PlatformRights {
  readonly #known = new Map<string, Map<string, Known>>();
  #forgetAt = -Infinity;

  constructor(
    private readonly tools: PlatformRightsTools,
    private readonly nowMs: () => number = () => performance.now(),
  ) {}

  /** Throws UNAVAILABLE if the platform does not answer. */
  roleAt(session: Session, instanceId: string): Promise<PlatformRole> {
    return this.#answered(`session ${session.id}`, instanceId, () => this.#ask(session, instanceId));
  }

  /**
   * The grants for the service instances that a request with an access token of the platform names. The platform is asked with
   * this token, also about an instance that does not exist here, so that the time does not reveal which exist. Undefined: the
   * platform refuses the token. Throws UNAVAILABLE if the platform does not answer.
   */
  async grantsOfToken(token: string, named: readonly string[]): Promise<readonly Grant[] | undefined> {
    if (named.length > mostNamed) {
      const hint = `Name at most ${mostNamed} service instances.`;
      throw badInput([{ path: 'serviceInstances', problem: 'names too many service instances', hint }]);
    }
    const instanceIds = named.filter((each) => this.tools.isInstanceId(each));
    if (instanceIds.length === 0) return [];
    const holder = `token ${createHash('sha256').update(token).digest('base64')}`;
    const roles = await Promise.all(
      instanceIds.map(async (id) => {
        return [id, await this.#answered(holder, id, () => this.#askWith(token, id))] as const;
      }),
    );
    if (roles.some(([, role]) => role === 'ENDED')) return undefined;
    const services = await this.tools.servicesOfInstances(instanceIds);
    return services.flatMap(({ id: serviceId, projectId, instanceId }) => {
      const role = new Map(roles).get(instanceId);
      return role === undefined || role === 'NONE' || role === 'ENDED' ? [] : [{ projectId, serviceId, role }];
    });
  }

  /** The grants for the services that the session has opened. Undefined: the session has ended. */
  async grantsOf(session: Session): Promise<readonly Grant[] | undefined> {
    if (session.openedServices.length === 0) return [];
    const services = await this.tools.servicesOf(session.openedServices);
    const found = await Promise.all(
      services.map(async ({ id, projectId, instanceId }) => {
        const role = await this.roleAt(session, instanceId);
        return { projectId, serviceId: id, role };
      }),
    );
    if (found.some(({ role }) => role === 'ENDED')) return undefined;
    return found.flatMap(({ role, ...scope }) => (role === 'NONE' || role === 'ENDED' ? [] : [{ ...scope, role }]));
  }

  /** The known answer, or a new one. `holder` is the session or the token. */
  async #answered(holder: string, instanceId: string, ask: () => Promise<PlatformRole>): Promise<PlatformRole> {
    const ofHolder = this.#knownOf(holder);
    const known = ofHolder.get(instanceId);
    if (known !== undefined) return known.role;
    if (ofHolder.size >= mostAtOnce) {
      throw new StowageError('UNAVAILABLE', 'Your sign-in has asked for the rights in too many services.', {
        help: 'Wait half a minute, and try again.',
      });
    }
    const role = ask();
    const entry: Known = { role, until: this.nowMs() + answerAgeMs };
    ofHolder.set(instanceId, entry);
    role.catch(() => (entry.until = this.nowMs() + failureAgeMs));
    return role;
  }

  async #askWith(token: string, instanceId: string): Promise<PlatformRole> {
    const role = await this.tools.platform.roleAt(token, instanceId);
    return role === 'TOKEN_REFUSED' ? 'ENDED' : role;
  }

  async #ask(session: Session, instanceId: string): Promise<PlatformRole> {
    const { platform, sessions, sealing, log } = this.tools;
    const tokens = await openedTokens(sealing, await sessions.tokensOf(session.id));
    const role = tokens === undefined ? 'TOKEN_REFUSED' : await platform.roleAt(tokens.accessToken, instanceId);
    if (role !== 'TOKEN_REFUSED') return role;
    if (tokens === undefined || tokens.refreshToken === null) {
      await sessions.end(session.id);
      return 'ENDED';
    }
    await sessions.renewSoon(session.id);
    log.warn({ platform: platform.name }, 'The platform does not accept the token of a person. The token is renewed.');
    throw new StowageError('UNAVAILABLE', `The platform ${platform.name} does not accept the token of your session.`, {
      help: 'The token is renewed now. Try again in a moment, or sign in again.',
    });
  }

  /** The answers for a holder that are not too old. */
  #knownOf(holder: string): Map<string, Known> {
    const now = this.nowMs();
    if (now >= this.#forgetAt) this.#forgetOld(now);
    const ofHolder = this.#known.get(holder) ?? new Map<string, Known>();
    for (const [instanceId, { until }] of ofHolder) if (until <= now) ofHolder.delete(instanceId);
    this.#known.set(holder, ofHolder);
    return ofHolder;
  }

  #forgetOld(now: number): void {
    this.#forgetAt = now + answerAgeMs;
    for (const [id, known] of this.#known) {
      if ([...known.values()].every(({ until }) => until <= now)) this.#known.delete(id);
    }
  }
}
