/**
 * The progress of a job. It is not an event: it is sent at most once per second for each job, and only the latest value
 * is stored.
 */
export type JobProgress = {
  readonly jobId: string;
  readonly projectId: string;
  /** The name of the kind of job. */
  readonly kind: string;
  readonly attempt: number;
  readonly readBytes: number;
  readonly storedBytes: number;
  readonly segments: number;
  readonly bytesPerSecond: number;
  /** 0 to 1. Null if the total is unknown. */
  readonly share: number | null;
  readonly estimatedEnd: string | null;
  /** ISO 8601. */
  readonly at: string;
};

export interface Telemetry {
  /** Stores the progress and notifies all processes. A failure must not fail the job. */
  publish(progress: JobProgress): Promise<void>;
  latest(jobIds: readonly string[]): Promise<ReadonlyMap<string, JobProgress>>;
  clear(jobId: string): Promise<void>;
  /** Calls the listener for the progress of every job of the installation. The result ends the subscription. */
  subscribe(listener: (progress: JobProgress) => void): () => void;
}

/** Short wake-up messages between processes. They may be lost, so every receiver also polls. */
export interface Signals {
  send(channel: SignalChannel, payload?: string): Promise<void>;
  subscribe(channel: SignalChannel, listener: (payload: string) => void): () => void;
}

/**
 * `work`: a job may be claimable. `cancel`: a cancellation of the job in the payload was requested. `compared`: the
 * process in the payload has compared the alarm clock with PostgreSQL. `sessions`: a session of the subject in the payload
 * has ended.
 */
export type SignalChannel = 'work' | 'cancel' | 'compared' | 'sessions';
