import type { JobRepository } from 'agenda';
import { StowageError } from '../../errors.js';
import type { AlarmDocument } from './alarmDocument.js';

/** The few things that an alarm clock asks of a store besides what Agenda asks of it through its own repository. */
export interface AlarmStore {
  /** How a person knows the store, for messages: never with user or password. */
  readonly name: string;
  /** Agenda's own way to the same documents. */
  readonly repository: JobRepository;
  /** Makes what is missing (table or collection, indexes), so that a store that was dropped comes back. */
  prepare(): Promise<void>;
  find(keys: readonly string[]): Promise<readonly StoredAlarm[]>;
  /** Inserts those whose key is free, exactly as Agenda would; a unique index on the key decides. Gives how many. */
  insert(documents: readonly AlarmDocument[]): Promise<number>;
  removeByIds(ids: readonly string[]): Promise<void>;
  removeByKeys(keys: readonly string[]): Promise<void>;
  /** Whether Agenda has anything to lock until then: due by `until`, or with a lock from before `lockedBefore`. */
  isAnyDue(until: Date, lockedBefore: Date): Promise<boolean>;
  /** The data of every alarm that Agenda will still run. */
  list(): Promise<readonly unknown[]>;
  /** How many of those have this name of Agenda's. */
  count(name: string): Promise<number>;
  ping(): Promise<void>;
  close(): Promise<void>;
}

export type StoredAlarm = {
  readonly id: string;
  readonly key: string;
  /** ISO 8601, as in the document's data. */
  readonly at: string;
  /** Neither due nor locked, so Agenda will never run it. */
  readonly dead: boolean;
};

/** Throws UNAVAILABLE, with the store closed, when it does not answer. */
export async function openStore<Store extends AlarmStore>(store: Store): Promise<Store> {
  try {
    await store.prepare();
    return store;
  } catch (error) {
    await store.close();
    throw unavailable(store, error);
  }
}

/** What a failure of the store looks like to everybody else. */
export function unavailable(store: AlarmStore, cause: unknown): StowageError {
  if (cause instanceof StowageError) return cause;
  const reason = cause instanceof Error ? cause.message : String(cause);
  const message = `The alarm store, ${store.name}, does not work: ${reason}. Check that it is up and may be used.`;
  return new StowageError('UNAVAILABLE', message, { cause });
}

/** What is written to a store by one question. */
export const documentsAtOnce = 1_000;
const rounds = 5;

/**
 * Sets alarms, whoever else sets the same ones at the same time: what is there with the same time stays untouched
 * (saving a document again would clear a running handler's lock), what has another time makes room first.
 */
export async function putAlarms(store: AlarmStore, documents: readonly AlarmDocument[]): Promise<void> {
  const lastOfKey = new Map(documents.map((document) => [document.data.key, document]));
  // Everybody inserts in the same order: PostgreSQL makes the second wait for the first, and never each for the other.
  const wanted = [...lastOfKey.values()].sort((a, b) => (a.data.key < b.data.key ? -1 : 1));
  for (let start = 0; start < wanted.length; start += documentsAtOnce) {
    await putSome(store, wanted.slice(start, start + documentsAtOnce));
  }
}

async function putSome(store: AlarmStore, wanted: readonly AlarmDocument[]): Promise<void> {
  for (let round = 0; round < rounds; round += 1) {
    const stored = new Map((await store.find(wanted.map(({ data }) => data.key))).map((alarm) => [alarm.key, alarm]));
    const missing = wanted.filter(({ data }) => {
      const there = stored.get(data.key);
      return there === undefined || there.dead || there.at !== data.at;
    });
    if (missing.length === 0) return;
    const inTheWay = missing.flatMap(({ data }) => stored.get(data.key)?.id ?? []);
    if (inTheWay.length > 0) await store.removeByIds(inTheWay);
    if ((await store.insert(missing)) === missing.length) return;
    // Somebody else was faster with some of them: look whether with the same time.
  }
  throw new StowageError(
    'UNAVAILABLE',
    `Others keep setting the same alarms in ${store.name} to other times. Try again.`,
  );
}
