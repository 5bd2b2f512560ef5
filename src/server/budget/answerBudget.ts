import { StowageError } from '../../errors.js';
import type { Steps } from '../../steps.js';
import type { OperationTypeNode } from 'graphql';
import type { AnswersAtOnce } from '../fairness/answersAtOnce.js';
import type { Claimant, Turns } from '../fairness/turns.js';
import type { LargeAnswers } from '../fairness/largeAnswers.js';
import { Usage } from '../fairness/usage.js';
import { jsonBytes } from './sizes.js';

/** The limits of one answer, and of one message of a subscription. They are counted while the answer is produced. */
export const answerLimits = {
  /** Bytes of the answer as JSON. */
  answerBytes: 4_194_304,
  /** Bytes of the rows that were read for it. */
  readBytes: 33_554_432,
  /** Work in microseconds of a processor, by the weights of the fields. */
  work: 2_000_000,
  errors: 500,
} as const;

/** One value of an answer may have this size, although it exceeds the limit of bytes alone. */
const largestValueBytes = 8_388_608;

/** From these sizes on an answer counts as large: only a few are produced at the same time. */
const large = { answerBytes: 262_144, readBytes: 2_097_152 } as const;
/** How many pages of lists one answer reads at the same time. */
const pagesAtOnce = 2;
/** An answer of this size is written in slices. */
const longBytes = 65_536;

/** How much of a processor a byte takes, in microseconds: to read it from the database, and to write it to the client. */
const workOfByte = { answerBytes: 0.005, readBytes: 0.01 } as const;
/** To parse and check a character of a request, and to begin what it asks for. */
const workOfCharacter = 0.25;
/** From so much on, in microseconds, the work of an answer is counted for its client at once. Counting takes time too. */
const countedWork = 100;

export type BudgetLimit = keyof typeof answerLimits;

/** What the answers of one client share: the time of the process, and the room for large answers. */
export type AnswerPlace = {
  readonly turns: Turns;
  readonly claimant: Omit<Claimant, 'answer'>;
  readonly largeAnswers: LargeAnswers;
  readonly answersAtOnce: AnswersAtOnce;
  /** The key of the viewer. */
  readonly viewerKey: string;
  readonly onExceeded: (limit: BudgetLimit) => void;
};

/**
 * The budget of one answer. Fields pay for what they read, compute and answer. The first payment that is too much ends the
 * answer with TOO_COMPLEX, which names the field. Nothing that is still running is awaited then.
 */
export class AnswerBudget {
  readonly #spent = { answerBytes: 0, readBytes: 0, work: 0, errors: 0 };
  readonly #place: AnswerPlace | undefined;
  readonly #claimant: Claimant | undefined;
  readonly #read = new WeakSet();
  readonly #sizes = new WeakMap<object, number>();
  readonly #computed = new Map<string, unknown>();
  #failure: Error | undefined;
  #fail: (error: Error) => void = () => undefined;
  #leaveRoom: (() => void) | undefined;
  #entering: Promise<void> | undefined;
  #isProduced = false;
  /** Work that is not counted for the client yet, in microseconds. */
  #uncounted = 0;
  /** The bytes of the one large value, if there is one. */
  #allowance = 0;
  /** The last read of a large value, and the last reads of pages. */
  readonly #lastReads: Promise<unknown>[] = [];
  #pages = 0;

  /** Rejects when the budget is exceeded. It never resolves. */
  readonly exceeded: Promise<never>;
  /** Never settles. A field that is reached after the end waits for it, and is forgotten together with this budget. */
  readonly never = new Promise<never>(() => undefined);

  /** Without a place the answer is counted, and never waits for others. */
  constructor(place?: AnswerPlace) {
    this.#place = place;
    this.#claimant = place && { ...place.claimant, answer: new Usage() };
    this.exceeded = new Promise((_resolve, reject) => (this.#fail = reject));
    // The rejection surfaces where the answer is awaited; this only prevents an unhandled rejection.
    this.exceeded.catch(() => undefined);
  }

  /** The budget of the next message of the same subscription. */
  next(): AnswerBudget {
    return new AnswerBudget(this.#place);
  }

  /** Waits until the answer may begin. Call the returned function when it has been produced. Throws UNAVAILABLE. */
  begin(kind: OperationTypeNode): Promise<() => void> {
    if (this.#place === undefined) return Promise.resolve(() => undefined);
    return this.#place.answersAtOnce.enter(this.#place.viewerKey, kind);
  }

  get isExceeded(): boolean {
    return this.#failure !== undefined;
  }

  /** Whether the answer is so long that it is written in slices. */
  get isLong(): boolean {
    return this.#spent.answerBytes > longBytes;
  }

  /** How much of a limit is left. */
  left(limit: BudgetLimit): number {
    return this.#most(limit) - this.#spent[limit];
  }

  /** The bytes of the largest value that the answer can still hold, if `allowLargeValue` is called for it. */
  get mostValueBytes(): number {
    return this.#allowance === 0 ? largestValueBytes : this.left('answerBytes');
  }

  /** Adds the bytes of one large value to the limit of bytes. It has an effect once, and not above `mostValueBytes`. */
  allowLargeValue(bytes: number): void {
    if (this.#allowance === 0 && bytes > this.left('answerBytes') && bytes <= largestValueBytes)
      this.#allowance = bytes;
  }

  get #isLarge(): boolean {
    return this.#spent.answerBytes > large.answerBytes || this.#spent.readBytes > large.readBytes;
  }

  #most(limit: BudgetLimit): number {
    return answerLimits[limit] + (limit === 'answerBytes' ? this.#allowance : 0);
  }

  /** Throws TOO_COMPLEX, which names the field, if the answer has become too much. */
  pay(limit: BudgetLimit, amount: number, field: string): void {
    this.#spent[limit] += amount;
    if (limit !== 'errors') {
      this.#uncounted += limit === 'work' ? amount : amount * workOfByte[limit];
      if (this.#uncounted > countedWork) this.#count();
    }
    if (this.#spent[limit] <= this.#most(limit)) return;
    if (this.#failure === undefined) this.#place?.onExceeded(limit);
    throw this.end(tooComplex(limit, field));
  }

  /** Pays for the text of a request before it is parsed. So a short request is next before a long one. */
  payForRequest(characters: number): void {
    this.pay('work', characters * workOfCharacter, 'Query');
    this.#count();
  }

  /** Counts the work for the client. */
  #count(): void {
    if (this.#claimant === undefined || this.#uncounted === 0) return;
    const { answer, connection, viewer } = this.#claimant;
    for (const usage of [answer, connection, viewer]) usage.add(this.#uncounted);
    this.#uncounted = 0;
  }

  /** Pays for a row, once for each object. */
  payRead(row: object, bytes: (most: number) => number, field: string): void {
    if (this.#read.has(row)) return;
    this.#read.add(row);
    this.pay('readBytes', bytes(this.left('readBytes')), field);
  }

  /** The bytes of a value as JSON. An object is measured once, however often it is answered. */
  bytesOf(value: unknown): number {
    const most = this.left('answerBytes');
    if (typeof value !== 'object' || value === null) return jsonBytes(value, most);
    const known = this.#sizes.get(value);
    if (known !== undefined) return known;
    const bytes = jsonBytes(value, most);
    this.#sizes.set(value, bytes);
    return bytes;
  }

  /** Ends the answer with this error. */
  end(error: Error): Error {
    this.#failure ??= error;
    this.#fail(this.#failure);
    this.release();
    return this.#failure;
  }

  /** Undefined: work may go on at once. Otherwise it may go on when the promise resolves. */
  pause(): Promise<void> | undefined {
    if (this.#failure !== undefined) return this.never;
    if (this.#place === undefined || this.#claimant === undefined) return undefined;
    // After `release` it needs no room. It still takes its turns.
    if (this.#isLarge && this.#leaveRoom === undefined && !this.#isProduced) {
      this.#entering ??= this.#enterRoom(this.#place);
      return this.#entering;
    }
    return this.#place.turns.next(this.#claimant);
  }

  /**
   * Like `pause`, while a complete answer is written. A field that the answer no longer needs, because the object around it
   * became null, may still run and exceed the budget. It does not hold up the writing.
   */
  pauseToWrite(): Promise<void> | undefined {
    if (this.#failure === undefined) return this.pause();
    return this.#claimant && this.#place?.turns.next(this.#claimant);
  }

  /** Runs a computation in slices. Each step pays for itself. */
  async run<Result>(steps: Steps<Result>, field: string): Promise<Result> {
    for (;;) {
      const step = steps.next();
      if (step.done === true) return step.value;
      this.pay('work', step.value, field);
      const pause = this.pause();
      if (pause !== undefined) await pause;
    }
  }

  /** Computes what is equal once for each answer. The key names the computation and everything that it depends on. */
  once<Result>(key: string, compute: () => Result): Result {
    if (!this.#computed.has(key)) this.#computed.set(key, compute());
    return this.#computed.get(key) as Result;
  }

  /** Runs large reads one after the other, so that each is paid before the next begins. */
  oneByOne<Result>(read: () => Promise<Result>): Promise<Result> {
    return this.#readAfter(0, read);
  }

  /** Reads pages of lists, few of them at the same time. `read` also pays for their rows. */
  readPage<Result>(read: () => Promise<Result>): Promise<Result> {
    this.#pages += 1;
    return this.#readAfter(1 + (this.#pages % pagesAtOnce), read);
  }

  /** The reads of a row wait for each other. */
  #readAfter<Result>(row: number, read: () => Promise<Result>): Promise<Result> {
    const before = this.#lastReads[row];
    const reading = (async () => {
      await before;
      await this.pause();
      return read();
    })();
    // The rejection surfaces where the result is awaited.
    this.#lastReads[row] = reading.catch(() => undefined);
    return reading;
  }

  /** Call it when the answer has been produced, or was given up. It makes room for another large answer. Idempotent. */
  release(): void {
    this.#count();
    this.#isProduced = true;
    this.#leaveRoom?.();
    this.#leaveRoom = undefined;
  }

  async #enterRoom({ largeAnswers, viewerKey }: AnswerPlace): Promise<void> {
    const leave = await largeAnswers.enter(viewerKey);
    if (this.#isProduced) leave();
    else this.#leaveRoom = leave;
  }
}

const shownLimits: Readonly<Record<BudgetLimit, string>> = {
  answerBytes: `The answer would have more than ${answerLimits.answerBytes / 1_048_576} MiB`,
  readBytes: `The answer needs more than ${answerLimits.readBytes / 1_048_576} MiB of data`,
  work: 'The answer needs too much computation',
  errors: `The answer has more than ${answerLimits.errors} errors`,
};

function tooComplex(limit: BudgetLimit, field: string): StowageError {
  return new StowageError('TOO_COMPLEX', `${shownLimits[limit]}, at ${field}.`, {
    details: { limit, field, most: answerLimits[limit] },
    help: 'Ask for fewer things at once. A mutation may have been executed all the same: repeat it with its commandId.',
  });
}
