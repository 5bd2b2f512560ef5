import { Counter, Registry } from 'prom-client';
import type { ServeConfig, ToolConfig, WorkerConfig } from '../config.js';
import { createEngines, type EngineOptions, type Engines } from '../engines/engines.js';
import { createProtectionWatch } from '../protection/protectionWatch.js';
import type { Log } from '../log.js';
import { createTickKeeper, type TickKeeperOptions } from '../ticks/tickKeeper.js';
import { defaultHasPrivate, installationId } from '../postgres/installation.js';
import type { PrefixMarks } from '../postgres/contracts/prefixMarks.js';
import { openServerClock } from '../postgres/serverClock.js';
import type { AlarmClock } from '../scheduler/alarmClock.js';
import type { AllowedTargets } from '../storage/allowedTargets.js';
import { createStorageKinds, type StorageLimits } from '../storage/createStorageKinds.js';
import type { StorageKinds } from '../storage/storageKinds.js';
import { openAlarmClock } from './alarmClock.js';
import type { Closing } from './closing.js';
import { warnOfKeptTargets } from './keptTargets.js';
import { openStores, type Stores } from './stores.js';
import { openTools } from './openTools.js';

/** The resources that all roles of a process share. `stowage up` opens them once. */
export type Shared = Stores & {
  readonly alarmClock: AlarmClock;
  readonly engines: Engines;
  readonly storages: StorageKinds;
  readonly installationId: string;
  /** The targets of the setting. In an older installation, `default` contains private networks. */
  readonly allowedTargets: AllowedTargets;
  /**
   * Metrics that only the holder of the installation-level token may read. A role without an HTTP server shows none.
   */
  readonly installationRegistry: Registry;
  /** The clock of the PostgreSQL server, which all processes share. */
  readonly now: () => Date;
  /** The clock of this machine, for comparison with the clock of the server. */
  readonly machineNow: () => Date;
};

/**
 * Opens the stores, keeps the schedules and checks for late services. Every role does this, so that a tick queues its jobs
 * and a service becomes LATE also while no worker runs.
 */
export async function openShared(
  config: Pick<
    ServeConfig | WorkerConfig,
    'databaseUrl' | 'migrationDatabaseUrl' | 'scheduleStore' | 'masterKeys' | 'allowedTargets' | 'filesystemRoot'
  > &
    Partial<ToolConfig> & { readonly role: string },
  log: Log,
  closing: Closing,
  {
    makeEngines = createEngines,
    makeStorages = createStorageKinds,
  }: {
    readonly makeEngines?: (options: EngineOptions) => Engines;
    readonly makeStorages?: (limits: StorageLimits) => StorageKinds;
  } = {},
): Promise<Shared> {
  const tools = await openTools(
    { toolUids: null, toolFolders: [], pathFolders: [], masterKeyFile: null, ...config },
    log,
  );
  const stores = await openStores(config, log, closing);
  const keepsPrivate = await defaultHasPrivate(stores.dataSource);
  const allowedTargets = keepsPrivate ? config.allowedTargets.withPrivateByDefault() : config.allowedTargets;
  if (keepsPrivate) {
    const listed = warnOfKeptTargets(stores.dataSource, config.allowedTargets, log);
    closing.add('list of private targets', () => listed);
  }
  const now = await clockOfServer(stores, closing);
  const alarmClock = await openAlarmClock(config.scheduleStore, config.databaseUrl, log);
  closing.add('alarm clock', () => alarmClock.stop());
  const installationRegistry = new Registry();
  await keepSchedules({ ...stores, clock: alarmClock, log, now }, installationRegistry, closing);
  const watch = createProtectionWatch({ ...stores, log, now });
  closing.add('protection watch', () => watch.stop());
  watch.start();
  await warnIfCopy(stores.prefixMarks, log);
  const engines = makeEngines({
    allowAddress: (address, host) => allowedTargets.allowsHost(host, address),
    keepsSpare: true,
    tools,
  });
  closing.add('engines', async () => {
    await Promise.all([...engines.values()].map((engine) => engine.close()));
  });
  return {
    ...stores,
    alarmClock,
    engines,
    storages: makeStorages({ ...config, allowedTargets }),
    allowedTargets,
    installationId: await installationId(stores.dataSource),
    installationRegistry,
    now,
    machineNow: () => new Date(),
  };
}

/** The clock of the PostgreSQL server. It is read again from time to time until `closing` closes. */
async function clockOfServer({ dataSource }: Stores, closing: Closing): Promise<() => Date> {
  const clock = await openServerClock(dataSource);
  closing.add('clock of the server', () => {
    clock.stop();
    return Promise.resolve();
  });
  return clock.now;
}

/** Sets the alarms of plans and jobs until `closing` closes. Counts repaired alarms in the registry. */
async function keepSchedules(tools: TickKeeperOptions, registry: Registry, closing: Closing): Promise<void> {
  const repaired = new Counter({
    name: 'stowage_alarms_mended_total',
    help: 'Alarms that the comparison with PostgreSQL found missing, stale or wrong, and repaired.',
    registers: [registry],
  });
  const keeper = createTickKeeper({ ...tools, onRepaired: (count) => repaired.inc(count) });
  closing.add('tick keeper', () => keeper.stop());
  await keeper.start();
}

/**
 * Logs a warning if this database is a copy. It also stores the home of the installation, so that a copy can recognise
 * itself.
 */
async function warnIfCopy(prefixMarks: PrefixMarks, log: Log): Promise<void> {
  if ((await prefixMarks.standing(0)).kind !== 'COPY') return;
  log.warn(
    'This database is a copy of the database of the installation: no backup is deleted. If the installation has moved here, run: stowage adopt-prefixes',
  );
}
