import type { JobRepository } from 'agenda';
import { StowageError } from '../../errors.js';
import type { AlarmDocument } from './alarmDocument.js';

/** The operations of a store that the alarm clock needs in addition to Agenda's repository. */
export interface AlarmStore {
  /** The name of the store in messages, without user and password. */
  readonly name: string;
  /** Agenda's repository for the same documents. */
  readonly repository: JobRepository;
  /** Creates the table or collection and the indexes if they are missing, also after the store was dropped. */
  prepare(): Promise<void>;
  find(keys: readonly string[]): Promise<readonly StoredAlarm[]>;
  /**
   * Inserts the documents whose key is free, in the same form as Agenda. A unique index on the key decides. Returns the
   * number of inserted documents.
   */
  insert(documents: readonly AlarmDocument[]): Promise<number>;
  removeByIds(ids: readonly string[]): Promise<void>;
  removeByKeys(keys: readonly string[]): Promise<void>;
  /**
   * Whether Agenda can lock an alarm. An alarm can be locked if it is due by `until`, or if its lock is older than
   * `lockedBefore`.
   */
  isAnyDue(until: Date, lockedBefore: Date): Promise<boolean>;
  /** The data of every alarm that Agenda will still run. */
  list(): Promise<readonly unknown[]>;
  /** The number of alarms in `list` that have this job name of Agenda. */
  count(name: string): Promise<number>;
  ping(): Promise<void>;
  close(): Promise<void>;
}

export type StoredAlarm = {
  readonly id: string;
  readonly key: string;
  /** ISO 8601, as in the document's data. */
  readonly at: string;
  /** True if the document has neither a time nor a lock, so that Agenda never runs it. */
  readonly dead: boolean;
};

/** Prepares the store. Closes it and throws UNAVAILABLE if it does not answer. */
export async function openStore<Store extends AlarmStore>(store: Store): Promise<Store> {
  try {
    await store.prepare();
    return store;
  } catch (error) {
    await store.close();
    throw unavailable(store, error);
  }
}

/** The error that callers get for a failure of the store. */
export function unavailable(store: AlarmStore, cause: unknown): StowageError {
  if (cause instanceof StowageError) return cause;
  const reason = cause instanceof Error ? cause.message : String(cause);
  const message = `The alarm store, ${store.name}, does not work: ${reason}. Check that it runs and that the user has access.`;
  return new StowageError('UNAVAILABLE', message, { cause });
}

/** The most documents in one statement. */
export const documentsAtOnce = 1_000;
const rounds = 5;

/**
 * Sets alarms. Other processes may set the same alarms concurrently. A document with the same time is not changed, because
 * saving it again would clear the lock of a running handler. A document with another time is removed first.
 */
export async function putAlarms(store: AlarmStore, documents: readonly AlarmDocument[]): Promise<void> {
  const lastOfKey = new Map(documents.map((document) => [document.data.key, document]));
  // All processes insert in the same order. So PostgreSQL makes one wait for the other, and no deadlock occurs.
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
    // Another process has inserted some of them. The next round checks whether they have the same time.
  }
  throw new StowageError(
    'UNAVAILABLE',
    `Other processes keep setting the same alarms in ${store.name} to other times. Try again.`,
  );
}
