import { Client } from 'pg';

export type NotificationChannel =
  | 'stowage_events'
  | 'stowage_progress'
  | 'stowage_work'
  | 'stowage_cancel'
  | 'stowage_compared'
  | 'stowage_workers'
  | 'stowage_sessions';

const channels: readonly NotificationChannel[] = [
  'stowage_events',
  'stowage_progress',
  'stowage_work',
  'stowage_cancel',
  'stowage_compared',
  'stowage_workers',
  'stowage_sessions',
];

/** Receives PostgreSQL's NOTIFY messages for this process, over one connection. */
export interface Notifications {
  /**
   * Calls `listener` with each payload. It must return immediately and must not throw. The result ends the
   * subscription.
   */
  subscribe(channel: NotificationChannel, listener: (payload: string) => void): () => void;
  /** Calls `listener` after every connect. Messages that were sent without a connection are lost. */
  onConnected(listener: () => void): () => void;
  /** Connects, and reconnects whenever the connection is lost. */
  start(): Promise<void>;
  stop(): Promise<void>;
}

export type NotificationOptions = {
  readonly connectionString: string;
  /** Called for every lost connection and every failure to reconnect. The next try follows automatically. */
  readonly onError: (error: Error) => void;
};

export function createNotifications(options: NotificationOptions): Notifications {
  return new NotificationConnection(options);
}

class NotificationConnection implements Notifications {
  readonly #listeners = new Map<NotificationChannel, Set<(payload: string) => void>>(
    channels.map((channel) => [channel, new Set()]),
  );
  readonly #connectedListeners = new Set<() => void>();
  #client: Client | undefined;
  #retry: NodeJS.Timeout | undefined;
  #retryAfterMs = 0;
  #stopped = true;
  #connecting: Promise<void> = Promise.resolve();

  constructor(private readonly options: NotificationOptions) {}

  subscribe(channel: NotificationChannel, listener: (payload: string) => void): () => void {
    this.#listeners.get(channel)?.add(listener);
    return () => this.#listeners.get(channel)?.delete(listener);
  }

  onConnected(listener: () => void): () => void {
    this.#connectedListeners.add(listener);
    return () => this.#connectedListeners.delete(listener);
  }

  async start(): Promise<void> {
    this.#stopped = false;
    await this.#connect();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#retry);
    await this.#connecting;
    const last = this.#client;
    this.#client = undefined;
    await last?.end();
  }

  async #connect(): Promise<void> {
    const fresh = new Client({
      connectionString: this.options.connectionString,
      application_name: 'stowage notifications',
      // No statement is sent over this connection, so only the keep-alive detects a server that is lost silently.
      keepAlive: true,
      keepAliveInitialDelayMillis: 10_000,
      connectionTimeoutMillis: 10_000,
    });
    let lost = false;
    const onLoss = (error: Error) => {
      if (lost || this.#stopped) return;
      lost = true;
      this.#handleLoss(fresh, error);
    };
    fresh.on('error', onLoss);
    fresh.on('end', () => onLoss(new Error('PostgreSQL closed the connection for notifications.')));
    fresh.on('notification', ({ channel, payload }) => {
      for (const listener of this.#listeners.get(channel as NotificationChannel) ?? []) listener(payload ?? '');
    });
    try {
      await fresh.connect();
      await fresh.query(channels.map((channel) => `LISTEN ${channel}`).join('; '));
    } catch (error) {
      lost = true;
      await fresh.end().catch(() => undefined);
      throw error;
    }
    if (this.#stopped) {
      await fresh.end();
      return;
    }
    this.#client = fresh;
    this.#retryAfterMs = 0;
    for (const listener of this.#connectedListeners) listener();
  }

  #handleLoss(connection: Client, error: Error): void {
    this.options.onError(error);
    // Ignored while the connection is being opened, because `connect` then reports the failure.
    if (this.#client !== connection) return;
    this.#client = undefined;
    void connection.end().catch(() => undefined);
    this.#connectLater();
  }

  #connectLater(): void {
    this.#retry = setTimeout(() => {
      this.#connecting = this.#connect().catch((error: unknown) => {
        if (this.#stopped) return;
        this.options.onError(error instanceof Error ? error : new Error(String(error)));
        this.#connectLater();
      });
    }, this.#retryAfterMs);
    this.#retryAfterMs = Math.min(5_000, Math.max(100, this.#retryAfterMs * 2));
  }
}
