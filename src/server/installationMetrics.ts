import { Gauge, type Registry } from 'prom-client';

/** Figures of the database about all projects together and about each service. */
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
  /** Called at most every `leastMs`, and for at most a twentieth of the time. */
  readonly figures: () => Promise<InstallationFigures>;
  /** How many positions of the log this process has not seen yet. Called at each scrape. */
  readonly feedLag: () => Promise<number>;
  readonly statuses: readonly string[];
  readonly protections: readonly string[];
  /** Called if the figures could not be read. The metrics then omit these figures. */
  readonly onError: (error: unknown) => void;
  readonly now: () => Date;
  /** Default 10,000. */
  readonly leastMs?: number;
  /** Services that get a series of their own; default 10,000. */
  readonly mostServices?: number;
};

/** The share of time that may be spent on figures: after a query of 1 s, there is none for 19 s. */
const share = 0.05;

/**
 * Metrics of the installation. Every process that shares the database shows the same values: take `max` over replicas,
 * not `sum`. They name projects and services, so they are in a registry that only holders of the installation-level
 * token may read.
 */
export function installationMetrics(options: InstallationMetricsOptions): void {
  const { feedLag, onError, leastMs = 10_000 } = options;
  const figures = cached(options.figures, leastMs);
  const registers = [options.registry];

  for (const { fill, ...gauge } of [...totalGauges(options), ...serviceGauges(options), ...queueGauges]) {
    new Gauge({
      ...{ ...gauge, registers },
      async collect() {
        const known = await figures().catch(() => undefined);
        this.reset(); // No await after this line: a concurrent scrape must not see a half-filled gauge.
        if (known !== undefined) fill(this, known);
        else if (gauge.labelNames.length === 0) this.remove();
      },
    });
  }
  new Gauge({
    name: 'stowage_figures_up',
    help: '1 if the figures about the installation could be read from the database, else 0.',
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
}

/** A gauge that is filled from the figures at each scrape. It is empty if they cannot be read. */
type FigureGauge = {
  readonly name: string;
  readonly help: string;
  readonly labelNames: readonly string[];
  readonly fill: (gauge: Gauge, figures: InstallationFigures) => void;
};

function totalGauges({ statuses }: InstallationMetricsOptions): readonly FigureGauge[] {
  const bytes = (name: string, help: string, of: (totals: InstallationFigures['totals']) => number): FigureGauge => ({
    ...{ name, help, labelNames: [] },
    fill: (gauge, { totals }) => gauge.set(of(totals)),
  });
  return [
    {
      name: 'stowage_backup_jobs',
      help: 'Backup jobs, by status.',
      labelNames: ['status'],
      fill(gauge, { totals }) {
        for (const status of statuses) gauge.set({ status }, totals.jobs[status] ?? 0);
      },
    },
    bytes('stowage_backup_read_bytes', 'Plain bytes of all backups that ever succeeded.', (of) => of.readBytes),
    bytes('stowage_backup_written_bytes', 'Bytes that these backups took in the containers.', (of) => of.writtenBytes),
    bytes('stowage_backup_stored_bytes', 'Bytes of backups that are in the containers now.', (of) => of.storedBytes),
  ];
}

function serviceGauges(options: InstallationMetricsOptions): readonly FigureGauge[] {
  const { protections, now, mostServices = 10_000 } = options;
  return [
    {
      name: 'stowage_services',
      help: 'Services, by how well they are protected.',
      labelNames: ['protection'],
      fill(gauge, { services }) {
        for (const protection of protections) {
          gauge.set({ protection }, services.filter((service) => service.protection === protection).length);
        }
      },
    },
    {
      name: 'stowage_service_last_success_age_seconds',
      help: 'Seconds since the start of the newest stored backup of the service. Services without one have no series.',
      labelNames: ['project_id', 'project', 'service_id', 'service'],
      fill(gauge, { services }) {
        for (const { projectId, projectName, serviceId, serviceName, dataAsOf } of services.slice(0, mostServices)) {
          if (dataAsOf === null) continue;
          const labels = { project_id: projectId, project: projectName, service_id: serviceId, service: serviceName };
          gauge.set(labels, (now().getTime() - dataAsOf.getTime()) / 1000);
        }
      },
    },
    {
      name: 'stowage_service_series_left_out',
      help: `Services beyond the first ${mostServices}, which have no series of their own.`,
      labelNames: [],
      fill: (gauge, { services }) => gauge.set(Math.max(0, services.length - mostServices)),
    },
  ];
}

const queueGauges: readonly FigureGauge[] = [
  {
    name: 'stowage_queue_jobs',
    help: 'Jobs that wait for a worker (due) or for their time (later).',
    labelNames: ['state'],
    fill(gauge, { queue }) {
      gauge.set({ state: 'due' }, queue.due);
      gauge.set({ state: 'later' }, queue.later);
    },
  },
  {
    name: 'stowage_queue_longest_wait_seconds',
    help: 'How long the oldest due job has been waiting.',
    labelNames: [],
    fill: (gauge, { queue }) => gauge.set(queue.longestWaitSeconds),
  },
  {
    name: 'stowage_leases',
    help: 'Leases of jobs: held by a worker, or expired.',
    labelNames: ['state'],
    fill(gauge, { queue }) {
      gauge.set({ state: 'held' }, queue.held);
      gauge.set({ state: 'expired' }, queue.expired);
    },
  },
];

/**
 * Caches the result, or the failure, of `read` until `leastMs` and its share of the time have passed. Only one call runs at
 * a time.
 */
function cached<Answer>(read: () => Promise<Answer>, leastMs: number): () => Promise<Answer> {
  let answer: Promise<Answer> | undefined;
  let goodUntil = 0;
  return () => {
    if (answer !== undefined && performance.now() < goodUntil) return answer;
    const begun = performance.now();
    goodUntil = Infinity;
    const reading = read().finally(() => {
      const took = performance.now() - begun;
      goodUntil = begun + Math.max(leastMs, took / share);
    });
    answer = reading;
    return reading;
  };
}
