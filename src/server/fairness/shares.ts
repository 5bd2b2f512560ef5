import { AnswerBudget, type AnswerPlace, type BudgetLimit } from '../budget/answerBudget.js';
import { AnswersAtOnce } from './answersAtOnce.js';
import { LargeAnswers } from './largeAnswers.js';
import { QueuedBytes, type QueueLimits } from './queuedBytes.js';
import { Turns } from './turns.js';
import { Usage } from './usage.js';

/** How much use of a quiet viewer is forgotten, in microseconds. */
const negligible = 1;
/** From this number of viewers on, those that are quiet are forgotten. */
const manyViewers = 1_000;

/** The memory of a request besides its body. With this, a viewer may have 256 requests at once. */
const bytesOfRequest = 65_536;

export type ShareLimits = QueueLimits & {
  /** How many signed-in WebSockets one viewer may have. */
  readonly socketsOfViewer: number;
  /** How long a query or a mutation waits for others of its viewer. */
  readonly requestWaitMs: number;
};

/** How the clients of a process share its time and its memory. One for each server. */
export class Shares {
  readonly turns = new Turns();
  readonly queued: QueuedBytes;
  /** The messages on WebSockets whose end has not arrived yet. */
  readonly unfinished = new QueuedBytes({ ofViewer: 16_777_216, inTotal: 67_108_864 });
  /** The bodies of the requests that have no answer yet. */
  readonly #requests = new QueuedBytes({ ofViewer: 16_777_216, inTotal: 134_217_728 });
  readonly #largeAnswers: LargeAnswers;
  readonly #answersAtOnce: AnswersAtOnce;
  readonly #viewers = new Map<string, Usage>();
  readonly #socketsOfViewer: number;
  readonly #sockets = new Map<string, number>();

  constructor(
    { socketsOfViewer, requestWaitMs, ...limits }: ShareLimits,
    /** Called when an answer has exceeded a limit of its budget. */
    private readonly onExceeded: (limit: BudgetLimit) => void = () => undefined,
  ) {
    this.#socketsOfViewer = socketsOfViewer;
    this.#answersAtOnce = new AnswersAtOnce(requestWaitMs);
    this.queued = new QueuedBytes(limits);
    this.#largeAnswers = new LargeAnswers(this.queued);
  }

  /** The place of the answers on one connection of a viewer. */
  placeOf(viewerKey: string, connection: Usage): AnswerPlace {
    const claimant = { connection, viewer: this.#usageOf(viewerKey) };
    return {
      ...{ turns: this.turns, claimant, largeAnswers: this.#largeAnswers, answersAtOnce: this.#answersAtOnce },
      ...{ viewerKey, onExceeded: this.onExceeded },
    };
  }

  budgetOf(viewerKey: string, connection: Usage): AnswerBudget {
    return new AnswerBudget(this.placeOf(viewerKey, connection));
  }

  /**
   * Undefined if the viewer has too many requests, or their bodies are too large together. Otherwise the function to call
   * when the request is answered; idempotent.
   */
  enterRequest(viewerKey: string, bodyBytes: number): (() => void) | undefined {
    if (!this.#requests.hasRoom(viewerKey)) return undefined;
    return this.#requests.add(viewerKey, bytesOfRequest + bodyBytes);
  }

  /** Undefined if the viewer has too many sockets. Otherwise the function to call when the socket is closed; idempotent. */
  enterSocket(viewerKey: string): (() => void) | undefined {
    const count = this.#sockets.get(viewerKey) ?? 0;
    if (count >= this.#socketsOfViewer) return undefined;
    this.#sockets.set(viewerKey, count + 1);
    let isOpen = true;
    return () => {
      if (!isOpen) return;
      isOpen = false;
      const rest = (this.#sockets.get(viewerKey) ?? 0) - 1;
      if (rest > 0) this.#sockets.set(viewerKey, rest);
      else this.#sockets.delete(viewerKey);
    };
  }

  #usageOf(viewerKey: string): Usage {
    const known = this.#viewers.get(viewerKey);
    if (known !== undefined) return known;
    if (this.#viewers.size >= manyViewers) {
      for (const [key, usage] of this.#viewers) if (usage.lately() < negligible) this.#viewers.delete(key);
    }
    const usage = new Usage();
    this.#viewers.set(viewerKey, usage);
    return usage;
  }
}
