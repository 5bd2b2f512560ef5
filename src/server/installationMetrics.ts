import { Gauge, type Registry } from 'prom-client';

/** What the database knows about all projects together and each service. */
export type InstallationFigures = {
  readonly totals: {
    readonly jobs: Readonly<Partial<Record<string, number>>>;
    readonly readBytes: number;
    readonly writtenBytes: number;
    readonly storedBytes: number;
  };
  readonly services: readonly {
    readonly projectId: string;
    readonly projectName: string;
    readonly serviceId: string;
    readonly serviceName: string;
    readonly protection: string;
    readonly dataAsOf: Date | null;
  }[];
  readonly queue: {
    readonly due: number;
    readonly later: number;
    readonly held: number;
    readonly expired: number;
    readonly longestWaitSeconds: number;
  };
};

export type InstallationMetricsOptions = {
  readonly registry: Registry;
  /** Asked at most every `leastMs`, and never for more than a twentieth of the time. */
  readonly figures: () => Promise<InstallationFigures>;
  /** How many positions of the log this process has not seen yet. Asked at each scrape. */
  readonly feedLag: () => Promise<number>;
  readonly statuses: readonly string[];
  readonly protections: readonly string[];
  /** Told when the figures could not be had; the scrape goes on without them. */
  readonly onError: (error: unknown) => void;
  readonly now: () => Date;
  /** Default 10,000. */
  readonly leastMs?: number;
  /** Services that get a series of their own; default 10,000. */
  readonly mostServices?: number;
};

/** The share of time that may go into figures: after 1 s of asking, nobody asks for 19 s. */
const share = 0.05;

/**
 * Metrics of the installation, the same from every process that shares the database: `max` over replicas, not `sum`.
 * They name projects and services, so they belong into a registry that only the installation's own token opens.
 */
export function installationMetrics(options: InstallationMetricsOptions): void {
  const { registry, feedLag, statuses, protections, onError, now, leastMs = 10_000, mostServices = 10_000 } = options;
  const figures = remembered(options.figures, leastMs);
  const registers = [registry];

  /** A gauge that is filled from the figures at each scrape, and empty where these cannot be had. */
  function gauge<Label extends string>(
    name: string,
    help: string,
    labelNames: readonly Label[],
    fill: (gauge: Gauge<Label>, known: InstallationFigures) => void,
  ): void {
    new Gauge({
      ...{ name, help, labelNames, registers },
      async collect() {
        const known = await figures().catch(() => undefined);
        this.reset(); // From here on nothing is waited for: a scrape at the same time never sees half of it.
        if (known !== undefined) fill(this, known);
        else if (labelNames.length === 0) this.remove();
      },
    });
  }

  new Gauge({
    name: 'stowage_figures_up',
    help: '1 when the figures about the installation could be had from the database, else 0.',
    registers,
    async collect() {
      const isUp = await figures().then(
        () => true,
        (error: unknown) => {
          onError(error);
          return false;
        },
      );
      this.set(isUp ? 1 : 0);
    },
  });
  new Gauge({
    name: 'stowage_feed_lag_positions',
    help: 'Positions of the log that this process has not seen yet.',
    registers,
    async collect() {
      const lag = await feedLag().catch(() => undefined);
      if (lag === undefined) this.remove();
      else this.set(lag);
    },
  });

  gauge('stowage_backup_jobs', 'Backup jobs, by status.', ['status'], (into, { totals }) => {
    for (const status of statuses) into.set({ status }, totals.jobs[status] ?? 0);
  });
  gauge('stowage_backup_read_bytes', 'Plain bytes of all backups that ever succeeded.', [], (into, { totals }) =>
    into.set(totals.readBytes),
  );
  gauge('stowage_backup_written_bytes', 'Bytes that they took in the containers.', [], (into, { totals }) =>
    into.set(totals.writtenBytes),
  );
  gauge('stowage_backup_stored_bytes', 'Bytes of backups that are in the containers now.', [], (into, { totals }) =>
    into.set(totals.storedBytes),
  );

  gauge('stowage_services', 'Services, by how well they are protected.', ['protection'], (into, { services }) => {
    for (const protection of protections) {
      into.set({ protection }, services.filter((service) => service.protection === protection).length);
    }
  });
  gauge(
    'stowage_service_last_success_age_seconds',
    'Since the newest backup of the service that is stored was begun. Services without one are left out.',
    ['project_id', 'project', 'service_id', 'service'],
    (into, { services }) => {
      for (const { projectId, projectName, serviceId, serviceName, dataAsOf } of services.slice(0, mostServices)) {
        if (dataAsOf === null) continue;
        const labels = { project_id: projectId, project: projectName, service_id: serviceId, service: serviceName };
        into.set(labels, (now().getTime() - dataAsOf.getTime()) / 1000);
      }
    },
  );
  gauge(
    'stowage_service_series_left_out',
    `Services beyond the first ${mostServices}, which have no series of their own.`,
    [],
    (into, { services }) => into.set(Math.max(0, services.length - mostServices)),
  );

  gauge('stowage_queue_jobs', 'Jobs that wait for a worker, or for their time.', ['state'], (into, { queue }) => {
    into.set({ state: 'due' }, queue.due);
    into.set({ state: 'later' }, queue.later);
  });
  gauge(
    'stowage_queue_longest_wait_seconds',
    'For how long the job that has waited longest could have been run.',
    [],
    (into, { queue }) => into.set(queue.longestWaitSeconds),
  );
  gauge('stowage_leases', 'Jobs that a worker holds, or has let slip.', ['state'], (into, { queue }) => {
    into.set({ state: 'held' }, queue.held);
    into.set({ state: 'expired' }, queue.expired);
  });
}

/** The same answer, good or bad, until `leastMs` and its share of the time have passed; one question at a time. */
function remembered<Answer>(ask: () => Promise<Answer>, leastMs: number): () => Promise<Answer> {
  let answer: Promise<Answer> | undefined;
  let goodUntil = 0;
  return () => {
    if (answer !== undefined && performance.now() < goodUntil) return answer;
    const begun = performance.now();
    goodUntil = Infinity;
    const asked = ask().finally(() => {
      const took = performance.now() - begun;
      goodUntil = begun + Math.max(leastMs, took / share);
    });
    answer = asked;
    return asked;
  };
}
