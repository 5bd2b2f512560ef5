import type { DataSource } from 'typeorm';
import type { CommandHandling } from '../eventSourcing/commandHandling.js';
import type { EventIndex } from '../eventSourcing/eventIndex.js';
import type { EventStore } from '../eventSourcing/eventStore.js';
import type { Feed } from '../eventSourcing/feed.js';
import type { Log } from '../log.js';
import { createCommandHandling } from '../postgres/commandHandling.js';
import type { JobQueue } from '../postgres/contracts/jobQueue.js';
import type { PrefixMarks } from '../postgres/contracts/prefixMarks.js';
import type { Signals, Telemetry } from '../postgres/contracts/telemetry.js';
import type { Vault } from '../postgres/contracts/vault.js';
import type { WorkerRegistry } from '../postgres/contracts/workerRegistry.js';
import { createEventIndex } from '../postgres/eventIndex.js';
import { createEventStore } from '../postgres/eventStore.js';
import { createFeed } from '../postgres/feed.js';
import { createJobQueue } from '../postgres/jobQueue.js';
import { masterKeys } from '../postgres/masterKeys.js';
import { createNotifications, type Notifications } from '../postgres/notifications.js';
import { createPrefixMarks } from '../postgres/prefixMarks.js';
import { createSignals } from '../postgres/signals.js';
import { createTelemetry } from '../postgres/telemetry.js';
import { createVault } from '../postgres/vault.js';
import { createWorkerRegistry } from '../postgres/workerRegistry.js';
import type { Secret } from '../secret.js';
import type { Closing } from './closing.js';
import { openDatabase, type DatabaseUrls } from './database.js';
import { slices, type Slice } from './slices.js';

/** The stores in PostgreSQL, behind their contracts. */
export type Stores = {
  /** For whoever must read again what signals may have missed. */
  readonly notifications: Pick<Notifications, 'onConnected'>;
  readonly dataSource: DataSource;
  readonly store: EventStore;
  readonly eventIndex: EventIndex;
  readonly feed: Feed;
  readonly commands: CommandHandling;
  readonly vault: Vault;
  readonly queue: JobQueue;
  readonly telemetry: Telemetry;
  readonly signals: Signals;
  readonly prefixMarks: PrefixMarks;
  readonly workers: WorkerRegistry;
};

/** Migrates, connects and listens. Everything that it opens is added to `closing`. `known`: the streams that are read. */
export async function openStores(
  config: DatabaseUrls & { readonly masterKeys: readonly Secret[]; readonly role: string },
  log: Log,
  closing: Closing,
  known: readonly Slice[] = slices,
): Promise<Stores> {
  const [deciders, projections] = [known.map(({ decider }) => decider), known.map(({ projection }) => projection)];
  const keys = masterKeys(config.masterKeys);
  const dataSource = await openDatabase(config, `stowage ${config.role}`, log, known);
  closing.add('PostgreSQL', () => dataSource.destroy());

  const store = createEventStore({ dataSource, projections, deciders });
  const notifications = createNotifications({
    connectionString: config.databaseUrl.reveal(),
    onError: (error) =>
      log.warn({ err: error }, 'The connection that listens to PostgreSQL was lost. It is opened again.'),
  });
  await notifications.start();
  closing.add('notifications', () => notifications.stop());
  const feed = createFeed({
    notifications,
    store,
    onError: (error) => log.error({ err: error }, 'The feed of events failed. It continues at the next poll.'),
  });
  await feed.start();
  closing.add('feed', () => feed.stop());

  return {
    dataSource,
    notifications,
    store,
    eventIndex: createEventIndex(dataSource, deciders),
    feed,
    commands: createCommandHandling({ dataSource, store, masterKeys: keys }),
    vault: createVault(dataSource, keys),
    queue: createJobQueue(dataSource),
    telemetry: createTelemetry(dataSource, notifications),
    signals: createSignals(dataSource, notifications),
    prefixMarks: createPrefixMarks(dataSource),
    workers: createWorkerRegistry(dataSource, notifications),
  };
}
