import type { ServiceConnection } from '../../src/engines/serviceConnection.js';

/**
 * The input of the process that runs bench/pipeline/takeBackup.ts. It is sent through a pipe, so secrets are plain text
 * here.
 */
export type BackupOrder = {
  readonly connection: Omit<ServiceConnection, 'password'> & { readonly password: string };
  readonly swift: { readonly authUrl: string; readonly container: string; readonly user: string; readonly key: string };
  readonly workFolder: string;
};

/** The output of the process. `status` and `stat` are the texts of /proc/self, or empty if it does not exist. */
export type BackupReport = {
  readonly seconds: number;
  readonly sizeBytes: number;
  readonly storedSizeBytes: number;
  /** Milliseconds after the start at which each phase began. */
  readonly phases: Readonly<Record<string, number>>;
  readonly status: string;
  readonly stat: string;
};
