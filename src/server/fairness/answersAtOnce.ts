import { OperationTypeNode } from 'graphql';
import { installationViewer } from '../viewer.js';
import { TooManyRequests } from './tooManyRequests.js';

/**
 * How many answers one viewer gets at the same time. With all its queries and messages of subscriptions, a viewer leaves
 * connections to PostgreSQL to others. A mutation may wait for a server of a customer, so it does not hold up queries.
 */
const most = {
  [OperationTypeNode.QUERY]: 6,
  [OperationTypeNode.SUBSCRIPTION]: 6,
  [OperationTypeNode.MUTATION]: 16,
} as const;

/** A platform calls for all of its customers with the installation-level token. The checks of one must not hold up the others. */
const mostMutationsOfInstallation = 128;

type Place = { running: number; readonly waiting: (() => void)[] };

/** Lets only some answers of one viewer be produced at the same time. The others wait in their order. */
export class AnswersAtOnce {
  readonly #places = new Map<string, Place>();

  constructor(
    /** How long a query or a mutation waits. A message of a subscription waits as long as it takes. */
    private readonly longestWaitMs: number,
  ) {}

  /**
   * Waits for room. Call the returned function when the answer has been produced; it is idempotent. Throws UNAVAILABLE if
   * the answers before this one take too long.
   */
  async enter(viewerKey: string, kind: OperationTypeNode): Promise<() => void> {
    const key = `${kind === OperationTypeNode.MUTATION ? 'W' : 'R'} ${viewerKey}`;
    const place = this.#places.get(key) ?? { running: 0, waiting: [] };
    this.#places.set(key, place);
    if (place.running < mostOf(viewerKey, kind) && place.waiting.length === 0) place.running += 1;
    else await this.#wait(place, kind === OperationTypeNode.SUBSCRIPTION ? undefined : this.longestWaitMs);
    let isRunning = true;
    return () => {
      if (!isRunning) return;
      isRunning = false;
      const next = place.waiting.shift();
      if (next !== undefined) next();
      else place.running -= 1;
      if (place.running === 0) this.#places.delete(key);
    };
  }

  /** A place passes from one answer to the next, so that `running` stays. */
  #wait({ waiting }: Place, limitMs: number | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const giveUp = () => {
        waiting.splice(waiting.indexOf(begin), 1);
        reject(new TooManyRequests());
      };
      const timer = limitMs === undefined ? undefined : setTimeout(giveUp, limitMs);
      const begin = () => {
        clearTimeout(timer);
        resolve();
      };
      waiting.push(begin);
    });
  }
}

function mostOf(viewerKey: string, kind: OperationTypeNode): number {
  const isOfInstallation = viewerKey === installationViewer.subject && kind === OperationTypeNode.MUTATION;
  return isOfInstallation ? mostMutationsOfInstallation : most[kind];
}
