import { randomUUID } from 'node:crypto';
import type { Logger } from 'pino';
import { Any, type DataSource, type EntityManager } from 'typeorm';
import { v5 } from 'uuid';
import type { RecordedEvent } from '../eventSourcing/event.js';
import type { EventStore, Transaction } from '../eventSourcing/eventStore.js';
import type { Feed, FeedSubscription } from '../eventSourcing/feed.js';
import { ServiceTable, type ServiceRow } from '../services/serviceView.js';
import { lateness } from './lateness.js';
import { LateServiceTable } from './latenessView.js';
import { possiblyLate, standingsOfServices } from './protectionQueries.js';

export type ProtectionWatchOptions = {
  readonly dataSource: DataSource;
  readonly store: EventStore;
  readonly feed: Feed;
  readonly log: Logger;
  readonly now: () => Date;
  /** How often all services are looked at; default 20,000. */
  readonly everyMs?: number;
};

export interface ProtectionWatch {
  /** Begins to look, at once and then again and again. Once only. */
  start(): void;
  /** Looks at all services now. */
  look(): Promise<void>;
  /** Waits for the look that is under way. */
  stop(): Promise<void>;
}

/** Fixed for ever: the stream that tells of a service's lateness. */
const namespace = 'b8b4c1de-7d0f-4c4b-8a53-1d4c7f0f6a19';
export const latenessStreamId = (serviceId: string): string => v5(`protection:${serviceId}`, namespace);

/** What may end the lateness of a service. */
const endings = new Set([
  'BackupSucceeded',
  'BackupFound',
  'BackupPlanPaused',
  'BackupPlanUpdated',
  'BackupPlanRemoved',
  'ServiceUpdated',
  'ServiceRemoved',
]);

/** So many services change in one transaction. */
const together = 100;
/** Events that come in close succession are one reason to look. */
const pauseMs = 250;

/**
 * Says in the log when a service becomes LATE, within `everyMs` of its deadline, and when it is no longer. Any number of
 * processes may watch: each change is appended once, for it is decided on the stream as it is.
 */
export function createProtectionWatch(options: ProtectionWatchOptions): ProtectionWatch {
  const { dataSource, store, feed, log, now, everyMs = 20_000 } = options;
  let subscription: FeedSubscription | undefined;
  let looking: Promise<void> | undefined;
  let nextLook: { readonly at: number; readonly timer: NodeJS.Timeout } | undefined;
  let wokenMeanwhile = false;
  let allDueAt = 0;
  let stopped = false;

  function lookIn(ms: number): void {
    const at = performance.now() + ms;
    if (stopped || looking !== undefined || (nextLook !== undefined && nextLook.at <= at)) return;
    clearTimeout(nextLook?.timer);
    nextLook = { at, timer: setTimeout(begin, ms) };
  }

  function wake(event: RecordedEvent): void {
    if (!endings.has(event.type)) return;
    if (looking === undefined) lookIn(pauseMs);
    else wokenMeanwhile = true;
  }

  function begin(): void {
    nextLook = undefined;
    const begun = performance.now();
    const all = begun >= allDueAt;
    if (all) allDueAt = begun + everyMs;
    looking = look(all)
      .catch((error: unknown) => {
        if (!stopped) log.warn({ err: error }, 'Whether services are late could not be found out; it is tried again.');
      })
      .finally(() => {
        looking = undefined;
        lookIn(Math.max(0, allDueAt - performance.now()));
        if (wokenMeanwhile) lookIn(pauseMs);
        wokenMeanwhile = false;
      });
  }

  async function look(all: boolean): Promise<void> {
    const { manager } = dataSource;
    const known = await lateIds(manager);
    const candidates = new Set([...known, ...(all ? await possiblyLate(manager, now()) : [])]);
    const changed = await changedAmong(manager, [...candidates], known);
    for (let first = 0; first < changed.length && !stopped; first += together) {
      await record(changed.slice(first, first + together));
    }
  }

  async function record(serviceIds: readonly string[]): Promise<void> {
    await store.transact({ actor: 'protection', correlationId: randomUUID() }, async (tx) => {
      // A service that another process is just looking at is left to it.
      const mine = await tx.manager.query<{ id: string }[]>(
        'SELECT id FROM services WHERE id = ANY($1::uuid[]) ORDER BY id FOR UPDATE SKIP LOCKED',
        [serviceIds],
      );
      const ids = mine.map(({ id }) => id);
      for (const service of await standings(tx.manager, ids)) await recordOne(tx, service);
    });
  }

  async function recordOne(tx: Transaction, { service, status, dataAsOf, dueBy }: Standing): Promise<void> {
    const { id, name, projectId } = service;
    await tx.execute(
      lateness,
      { id: latenessStreamId(id), projectId },
      {
        kind: 'RECORD',
        service: { id, name },
        status,
        dataAsOf: dataAsOf?.toISOString() ?? null,
        dueBy: dueBy?.toISOString() ?? null,
        at: now().toISOString(),
      },
    );
  }

  async function changedAmong(
    manager: EntityManager,
    ids: readonly string[],
    known: ReadonlySet<string>,
  ): Promise<readonly string[]> {
    const found = await standings(manager, ids);
    return found.flatMap(({ service, status }) => ((status === 'LATE') === known.has(service.id) ? [] : [service.id]));
  }

  async function standings(manager: EntityManager, ids: readonly string[]): Promise<readonly Standing[]> {
    if (ids.length === 0) return [];
    const services = await manager.findBy(ServiceTable, { id: Any([...ids]) });
    const protections = await standingsOfServices(manager, services, now());
    return services.flatMap((service, index): Standing[] => {
      const found = protections[index];
      if (found === undefined) return [];
      const { dataAsOf, dueBy } = found;
      return [{ service, status: service.removedAt === null ? found.status : 'REMOVED', dataAsOf, dueBy }];
    });
  }

  return {
    start() {
      subscription = feed.subscribe(wake);
      lookIn(0);
    },
    look: () => look(true),
    async stop() {
      stopped = true;
      subscription?.close();
      clearTimeout(nextLook?.timer);
      await looking;
    },
  };
}

type Standing = {
  readonly service: ServiceRow;
  readonly status: Parameters<(typeof lateness)['decide']>[0]['status'];
  readonly dataAsOf: Date | null;
  readonly dueBy: Date | null;
};

/** The services that the log says are LATE. */
async function lateIds(manager: EntityManager): Promise<ReadonlySet<string>> {
  const rows = await manager.find(LateServiceTable);
  return new Set(rows.map(({ serviceId }) => serviceId));
}
