/** How far a job is. Not an event: sent live at most once a second a job, and only the latest value is kept. */
export type JobProgress = {
  readonly jobId: string;
  readonly projectId: string;
  readonly kind: 'BACKUP' | 'RESTORE';
  readonly attempt: number;
  readonly readBytes: number;
  readonly storedBytes: number;
  readonly segments: number;
  readonly bytesPerSecond: number;
  /** 0 to 1, or null where the whole is not known. */
  readonly share: number | null;
  readonly estimatedEnd: string | null;
  /** ISO 8601. */
  readonly at: string;
};

export interface Telemetry {
  /** Keeps the value and tells every process. Failing to is no reason to fail a job. */
  publish(progress: JobProgress): Promise<void>;
  latest(jobIds: readonly string[]): Promise<ReadonlyMap<string, JobProgress>>;
  clear(jobId: string): Promise<void>;
  /** Called for the progress of every job of the installation, in this process. Returns how to stop. */
  subscribe(listener: (progress: JobProgress) => void): () => void;
}

/** Short wake-up calls between processes; they may be lost, so every receiver also polls. */
export interface Signals {
  send(channel: SignalChannel, payload?: string): Promise<void>;
  subscribe(channel: SignalChannel, listener: (payload: string) => void): () => void;
}

/**
 * `work`: a job may be claimable. `cancel`: the job whose id is the payload is to be cancelled. `compared`: the process
 * of the payload has just compared the alarm clock with PostgreSQL.
 */
export type SignalChannel = 'work' | 'cancel' | 'compared';
