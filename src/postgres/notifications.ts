import { Client } from 'pg';

export type NotificationChannel =
  'stowage_events' | 'stowage_progress' | 'stowage_work' | 'stowage_cancel' | 'stowage_compared' | 'stowage_workers';

const channels: readonly NotificationChannel[] = [
  'stowage_events',
  'stowage_progress',
  'stowage_work',
  'stowage_cancel',
  'stowage_compared',
  'stowage_workers',
];

/** What PostgreSQL tells this process by NOTIFY, over the one connection that the process has for it. */
export interface Notifications {
  /** Calls `listener` with each payload. It must return at once and must not throw. Returns how to stop. */
  subscribe(channel: NotificationChannel, listener: (payload: string) => void): () => void;
  /** Calls `listener` after every connect: what was sent while there was no connection is lost. */
  onConnected(listener: () => void): () => void;
  /** Connects, and from then on connects again whenever the connection is lost. */
  start(): Promise<void>;
  stop(): Promise<void>;
}

export function createNotifications(options: {
  readonly connectionString: string;
  /** Told of every lost connection and every failure to connect again; the next try follows by itself. */
  readonly onError: (error: Error) => void;
}): Notifications {
  const listeners = new Map<NotificationChannel, Set<(payload: string) => void>>(
    channels.map((channel) => [channel, new Set()]),
  );
  const connectedListeners = new Set<() => void>();
  let client: Client | undefined;
  let retry: NodeJS.Timeout | undefined;
  let retryAfterMs = 0;
  let stopped = true;
  let connecting: Promise<void> = Promise.resolve();

  async function connect(): Promise<void> {
    const fresh = new Client({
      connectionString: options.connectionString,
      application_name: 'stowage notifications',
      // Nothing is ever asked over it: that the server is gone without a word is noticed by this alone.
      keepAlive: true,
      keepAliveInitialDelayMillis: 10_000,
      connectionTimeoutMillis: 10_000,
    });
    let lost = false;
    const lose = (error: Error) => {
      if (lost || stopped) return;
      lost = true;
      options.onError(error);
      if (client !== fresh) return;
      client = undefined;
      void fresh.end().catch(() => undefined);
      connectLater();
    };
    fresh.on('error', lose);
    fresh.on('end', () => lose(new Error('PostgreSQL closed the connection for notifications.')));
    fresh.on('notification', ({ channel, payload }) => {
      for (const listener of listeners.get(channel as NotificationChannel) ?? []) listener(payload ?? '');
    });
    try {
      await fresh.connect();
      await fresh.query(channels.map((channel) => `LISTEN ${channel}`).join('; '));
    } catch (error) {
      lost = true;
      await fresh.end().catch(() => undefined);
      throw error;
    }
    if (stopped) {
      await fresh.end();
      return;
    }
    client = fresh;
    retryAfterMs = 0;
    for (const listener of connectedListeners) listener();
  }

  function connectLater(): void {
    retry = setTimeout(() => {
      connecting = connect().catch((error: unknown) => {
        if (stopped) return;
        options.onError(error instanceof Error ? error : new Error(String(error)));
        connectLater();
      });
    }, retryAfterMs);
    retryAfterMs = Math.min(5_000, Math.max(100, retryAfterMs * 2));
  }

  return {
    subscribe(channel, listener) {
      listeners.get(channel)?.add(listener);
      return () => listeners.get(channel)?.delete(listener);
    },
    onConnected(listener) {
      connectedListeners.add(listener);
      return () => connectedListeners.delete(listener);
    },
    async start() {
      stopped = false;
      await connect();
    },
    async stop() {
      stopped = true;
      clearTimeout(retry);
      await connecting;
      const last = client;
      client = undefined;
      await last?.end();
    },
  };
}
