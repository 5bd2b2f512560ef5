import type { DataSource } from 'typeorm';

/** The figures of the attempts of one group. */
export type Attempts = {
  readonly attempts: number;
  /** The number of refusals by code: a code of the catalogue, an HTTP status or a close code of a WebSocket. */
  readonly refusals: Readonly<Record<string, number>>;
  /** Wrong outcomes in one sentence each: an attempt that had to be refused and was not, or a wrong answer. */
  readonly problems: readonly string[];
  /**
   * The longest wait of a project for a slot beside greedy ones: how many slots became free until it got one. Undefined: the
   * group has no jobs.
   */
  readonly slotsWaited?: number | undefined;
  /** 99 % of the refusals came within this time. Undefined: it was not measured. */
  readonly refusedWithinMs?: number | undefined;
};

/** The process under attack: `stowage serve` with a database that holds plans, jobs and long texts. */
export type StrangersGround = {
  /** The URL without a path. */
  readonly url: string;
  /** The token of the installation. */
  readonly token: string;
  /** The access token of another viewer. */
  readonly otherToken: string;
  readonly pid: number;
  /** The built program: dist/src/main.js. */
  readonly main: string;
  /** A connection as the role that owns the tables. */
  readonly owner: DataSource;
  /** The ids of the objects in the database. */
  readonly ids: StrangersIds;
  /** True: the group makes every attempt. False: it makes a quick sample. */
  readonly all: boolean;
  /** The seed of all random choices. */
  readonly seed: number;
};

export type StrangersIds = {
  readonly projectIds: readonly string[];
  /** 200 services. Each trusts certificates of 64 kB. */
  readonly serviceIds: readonly string[];
  /** 200 plans, each of another service. */
  readonly planIds: readonly string[];
  /** 100 stored backups, each with an inventory of about 170 kB. */
  readonly jobIds: readonly string[];
};

/** A group of attempts by strangers. A group resolves when all its attempts have ended and its connections are closed. */
export type StrangersGroup = {
  readonly name: string;
  /** The reason why the group cannot run on this machine. Undefined if it can. */
  readonly missing?: string | undefined;
  /** The peak memory that the group may cause, if it differs from the limit of all groups. */
  readonly mostBytes?: number;
  run(ground: StrangersGround): Promise<Attempts>;
};

/** Counts attempts, refusals and problems. */
export class AttemptCount implements Attempts {
  attempts = 0;
  readonly refusals: Record<string, number> = {};
  readonly problems: string[] = [];
  slotsWaited: number | undefined;
  readonly #refusalsMs: number[] = [];

  get refusedWithinMs(): number | undefined {
    return this.#refusalsMs.toSorted((one, two) => one - two)[Math.floor(this.#refusalsMs.length * 0.99)];
  }

  addAll({ attempts, refusals, problems }: Attempts): void {
    this.attempts += attempts;
    for (const [code, count] of Object.entries(refusals)) this.refusals[code] = (this.refusals[code] ?? 0) + count;
    this.problems.push(...problems);
  }

  refusedAfter(ms: number): void {
    this.#refusalsMs.push(ms);
  }

  refused(code: string | number): void {
    this.refusals[code] = (this.refusals[code] ?? 0) + 1;
  }
}
