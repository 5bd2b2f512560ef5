import type { Secret } from '../secret.js';

/** How to reach one database server. */
export type ServiceConnection = {
  readonly host: string;
  readonly port: number;
  readonly username: string | null;
  readonly password: Secret | null;
  readonly authSource: string | null;
  readonly tls: { readonly mode: 'OFF' | 'REQUIRE' | 'VERIFY'; readonly ca: string | null };
  /** Null: all databases except the databases of the system. */
  readonly databases: readonly string[] | null;
};
