import type { ServiceConnection } from '../../src/engines/serviceConnection.js';

/** What the process of bench/pipeline/takeBackup.ts is to do. It lies in a pipe: secrets are plain here. */
export type BackupOrder = {
  readonly connection: Omit<ServiceConnection, 'password'> & { readonly password: string };
  readonly swift: { readonly authUrl: string; readonly container: string; readonly user: string; readonly key: string };
  readonly workFolder: string;
};

/** What it answers. `status` and `stat` are the texts of /proc/self, empty where there is none. */
export type BackupReport = {
  readonly seconds: number;
  readonly sizeBytes: number;
  readonly storedSizeBytes: number;
  /** Milliseconds after the start at which each phase began. */
  readonly phases: Readonly<Record<string, number>>;
  readonly status: string;
  readonly stat: string;
};
