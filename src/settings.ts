/**
 * Every setting: its name, the commands that read it, its value, and its default. The configuration, the help of each
 * command and docs/settings.md come from this table.
 */
export type ProgramRole = 'up' | 'serve' | 'worker' | 'migrate' | 'adopt-prefixes' | 'private-targets' | 'sign-in';

export type Setting = {
  readonly roles: readonly ProgramRole[];
  readonly meaning: string;
  /** Completes "… should hold", with the unit if there is one. */
  readonly holds: string;
  /** The default in words. A role that is not listed uses `otherwise`. Without `otherwise` the setting is required. */
  readonly default: Readonly<Partial<Record<ProgramRole | 'otherwise', string>>>;
  /** Whether its value is never shown. */
  readonly secret: boolean;
};

const all = ['up', 'serve', 'worker', 'migrate', 'adopt-prefixes', 'private-targets'] as const;
const running = ['up', 'serve', 'worker'] as const;
const api = ['up', 'serve'] as const;
const signIn = 'sign-in' as const;

export const settings = {
  HOST: {
    roles: [...api, signIn],
    meaning: 'The address at which the API listens.',
    holds: 'a host name or an IP address of this machine, without port',
    default: { otherwise: '127.0.0.1' },
    secret: false,
  },
  PORT: {
    roles: [...api, signIn],
    meaning: 'The port at which the API listens.',
    holds: 'a port from 0 to 65535 (0: any free port)',
    default: { otherwise: '4000' },
    secret: false,
  },
  STOWAGE_PUBLIC_URL: {
    roles: api,
    meaning:
      'The address at which browsers reach the API: the beginning of the URLs of dashboards and of the sign-in. People can sign in only if it is https, or on this machine.',
    holds: 'an http or https URL without query and credentials',
    default: { otherwise: 'http://HOST:PORT' },
    secret: false,
  },
  STOWAGE_DATA: {
    roles: ['up', 'adopt-prefixes', signIn],
    meaning:
      'The folder of `stowage up`: embedded PostgreSQL, keys, local backups. If `stowage up` runs as root, PostgreSQL runs under another uid, which must be able to reach the folder. So it cannot be below /root.',
    holds: 'the path of a folder',
    default: { otherwise: './data, as root /var/lib/stowage' },
    secret: false,
  },
  DATABASE_URL: {
    roles: all,
    meaning:
      'PostgreSQL, which holds the event log and everything else that must not be lost. Connect directly, or through a pooler (pgbouncer) in session mode. Transaction mode does not work: locks between workers and notifications belong to a session.',
    holds: 'a PostgreSQL URL such as postgres://user:password@host:5432/database',
    default: {
      up: 'an embedded server in STOWAGE_DATA',
      'adopt-prefixes': 'the embedded server of `stowage up`, which must not be running',
    },
    secret: true,
  },
  MIGRATION_DATABASE_URL: {
    roles: all,
    meaning: 'PostgreSQL as the role that owns the tables. The role of DATABASE_URL then needs far fewer rights.',
    holds: 'a PostgreSQL URL such as postgres://owner:password@host:5432/database',
    default: { otherwise: 'DATABASE_URL' },
    secret: true,
  },
  STOWAGE_DATABASE_PATIENCE: {
    roles: api,
    meaning:
      'How long a request of the API waits for a PostgreSQL that does not answer, including repetitions. After this time the answer is UNAVAILABLE. A statement that takes longer is ended. The limit does not apply to workers and migrations.',
    holds: 'an ISO 8601 duration of days to seconds, from PT1S to PT5M',
    default: { otherwise: 'PT5S' },
    secret: false,
  },
  SCHEDULE_STORE_URL: {
    roles: running,
    meaning: 'The store in which Agenda keeps the alarms of schedules and retries.',
    holds: 'a MongoDB URL (mongodb://… or mongodb+srv://…), or the word postgres for tables in DATABASE_URL',
    default: { up: 'postgres' },
    secret: true,
  },
  STOWAGE_MASTER_KEY_FILE: {
    roles: running,
    meaning: 'A file with the keys that encrypt the stored credentials.',
    holds: 'the path of a readable file with one key a line, newest first, each 32 bytes in base64',
    default: { up: 'generated once in STOWAGE_DATA', otherwise: 'STOWAGE_MASTER_KEY; one of the two is required' },
    secret: false,
  },
  STOWAGE_MASTER_KEY: {
    roles: running,
    meaning: 'The keys as a value, for platforms that pass secrets in the environment.',
    holds: 'one key a line, newest first, each 32 bytes in base64 (openssl rand -base64 32)',
    default: { up: 'generated once in STOWAGE_DATA', otherwise: 'STOWAGE_MASTER_KEY_FILE; one of the two is required' },
    secret: true,
  },
  STOWAGE_ADMIN_TOKEN: {
    roles: [...api, signIn],
    meaning: 'The installation-level bearer token, which allows everything.',
    holds: 'at least 24 characters out of letters, digits and -._~+/= (openssl rand -hex 32)',
    default: {
      up: 'generated once in STOWAGE_DATA, and printed',
      'sign-in': 'the token that `stowage up` stored in STOWAGE_DATA',
      otherwise: 'STOWAGE_ADMIN_TOKEN_FILE; one of the two is required',
    },
    secret: true,
  },
  STOWAGE_ADMIN_TOKEN_FILE: {
    roles: [...api, signIn],
    meaning:
      'A file with the installation-level token, which is read again every 2 seconds. With two lines both tokens are valid, so that a token can be replaced without a restart: add the new one, change the clients, remove the old one.',
    holds: 'the path of a readable file with one or two tokens, one a line, each as in STOWAGE_ADMIN_TOKEN',
    default: { otherwise: 'unset' },
    secret: false,
  },
  STOWAGE_METRICS_TOKEN: {
    roles: api,
    meaning:
      'A bearer token for the scraper. It gives access to all of /metrics and to nothing else. If it is unset, the admin token gives access to all of /metrics. A request without a token gets only metrics that name no project.',
    holds: 'at least 24 characters out of letters, digits and -._~+/= (openssl rand -hex 32)',
    default: { otherwise: 'unset' },
    secret: true,
  },
  STOWAGE_SESSION_IDLE: {
    roles: api,
    meaning: 'The session of a person ends when it was not used for this time. An open WebSocket is a use.',
    holds: 'an ISO 8601 duration of days to seconds, from PT5M to P31D',
    default: { otherwise: 'PT2H' },
    secret: false,
  },
  STOWAGE_SESSION_LIFETIME: {
    roles: api,
    meaning: 'The session of a person ends at this age, however often it is used.',
    holds: 'an ISO 8601 duration of days to seconds, from PT5M to P31D',
    default: { otherwise: 'PT12H' },
    secret: false,
  },
  STOWAGE_TRUSTED_PROXIES: {
    roles: api,
    meaning:
      'The reverse proxies in front of the API. Only their X-Forwarded-For and X-Forwarded-Proto are believed: for the address of a client (limits, the audit, events) and for https (cookies, Strict-Transport-Security). Each proxy must append the address of its client to X-Forwarded-For, or replace the header. If it is unset, every client has the address of its connection.',
    holds: 'addresses and networks separated by commas, such as 10.0.0.5,10.1.0.0/16,2001:db8::/64',
    default: { otherwise: 'unset' },
    secret: false,
  },
  STOWAGE_AUDIT_RETENTION: {
    roles: api,
    meaning:
      'How long the events about sign-ins, refused attempts and reads of what is sensitive (`auditEvents`) are kept.',
    holds: 'an ISO 8601 duration of days to seconds, from P1D to P3660D',
    default: { otherwise: 'P365D' },
    secret: false,
  },
  OIDC_ISSUER: {
    roles: api,
    meaning:
      'The provider of OpenID Connect at which people sign in, exactly as it names itself. If it is unset, people sign in only with one-time links.',
    holds: 'an https URL without query and credentials (http only for this machine)',
    default: { otherwise: 'unset' },
    secret: false,
  },
  OIDC_CLIENT_ID: {
    roles: api,
    meaning: 'The name of Stowage at the provider. It is required with OIDC_ISSUER.',
    holds: 'a client id of up to 255 printable characters',
    default: { otherwise: 'unset' },
    secret: false,
  },
  OIDC_CLIENT_SECRET: {
    roles: api,
    meaning:
      'The secret of Stowage at the provider. If it is unset, Stowage is a public client, which only PKCE protects.',
    holds: 'at least 8 printable characters',
    default: { otherwise: 'unset' },
    secret: true,
  },
  OIDC_SCOPES: {
    roles: api,
    meaning:
      'What Stowage asks the provider for. Add the scope that contains the groups, and offline_access if the provider gives refresh tokens only with it.',
    holds: 'names separated by spaces, with openid among them',
    default: {
      otherwise: 'openid profile; with OIDC_CLOUD_FOUNDRY_URL openid cloud_controller_service_permissions.read',
    },
    secret: false,
  },
  OIDC_CLAIM_RULES: {
    roles: api,
    meaning: 'Which claims of a person give which role in which project: see docs/sign-in.md.',
    holds: 'a JSON list such as [{"claim":"groups","contains":"backup-admins","role":"ADMIN","project":"shop"}]',
    default: { otherwise: '[]' },
    secret: false,
  },
  OIDC_AUDIENCE: {
    roles: api,
    meaning:
      'The audience of access tokens (JWTs) of the provider that programs may use as bearer tokens. If it is unset, such tokens are refused.',
    holds: 'a text of up to 255 printable characters',
    default: { otherwise: 'unset' },
    secret: false,
  },
  OIDC_CLOUD_FOUNDRY_URL: {
    roles: api,
    meaning:
      'The API of a Cloud Foundry whose UAA is OIDC_ISSUER. It is asked which service instances a person may read or manage: see docs/sign-in.md.',
    holds: 'an https URL without query and credentials (http only for this machine)',
    default: { otherwise: 'unset' },
    secret: false,
  },
  OIDC_ALLOWED_TARGETS: {
    roles: api,
    meaning:
      'Further hosts that the metadata of the provider may name, in addition to the host of OIDC_ISSUER and to STOWAGE_ALLOWED_TARGETS.',
    holds: 'words and targets separated by commas, as in STOWAGE_ALLOWED_TARGETS',
    default: { otherwise: 'unset' },
    secret: false,
  },
  STOWAGE_FILESYSTEM_ROOT: {
    roles: running,
    meaning:
      'File endpoints of kind FILESYSTEM are below this folder, in a folder of each project (`project-<id>`). If it is unset, that kind is refused.',
    holds: 'the absolute path of a folder',
    default: { up: 'STOWAGE_DATA/backups', otherwise: 'unset' },
    secret: false,
  },
  STOWAGE_ALLOWED_TARGETS: {
    roles: [...running, 'private-targets'],
    meaning:
      'The hosts and networks that services and file endpoints may use. `default` is every public address. `private` is all private networks, such as 10.0.0.0/8. `loopback` is this machine. To allow your own network, name it (default,10.1.0.0/16), or a domain of it (default,*.db.example.org). Link-local and metadata addresses are allowed only by naming the address. In an installation from a version without `private`, `default` contains private networks until you run `stowage private-targets --refuse`.',
    holds:
      'words and targets separated by commas: default, private, loopback, a host name, *.domain, an IP address, a network such as 10.0.0.0/8',
    default: { up: 'default,private,loopback', otherwise: 'default' },
    secret: false,
  },
  STOWAGE_MIN_INTERVAL: {
    roles: api,
    meaning: 'The smallest time between two runs of a plan.',
    holds: 'an ISO 8601 duration of days to seconds, from PT1S to P366D',
    default: { otherwise: 'PT60S' },
    secret: false,
  },
  STOWAGE_REQUESTS_PER_VIEWER: {
    roles: api,
    meaning:
      'How many requests a minute one viewer may send over HTTP to each process of the API. A viewer is a person or an access token. The installation-level token has no such limit. A further request gets the status 429 with Retry-After.',
    holds: 'a whole number from 60 to 10000000',
    default: { otherwise: '12000' },
    secret: false,
  },
  STOWAGE_REQUESTS_PER_ADDRESS: {
    roles: api,
    meaning:
      'How many requests a minute one client address (IPv6: one /64 network) may send over HTTP to each process of the API, for pages too. Behind a reverse proxy set STOWAGE_TRUSTED_PROXIES, because otherwise all clients have its address.',
    holds: 'a whole number from 60 to 10000000',
    default: { otherwise: '120000' },
    secret: false,
  },
  STOWAGE_SOCKETS_PER_VIEWER: {
    roles: api,
    meaning:
      'How many WebSockets one viewer may have. A viewer is a person, an access token, or all clients with the installation-level token. A further WebSocket is closed with 1013.',
    holds: 'a whole number from 32 to 100000',
    default: { otherwise: '100' },
    secret: false,
  },
  STOWAGE_PENDING_CONNECTIONS: {
    roles: api,
    meaning:
      'How many HTTP connections may be open on which nobody has signed in yet. Above this number the oldest of them is closed.',
    holds: 'a whole number from 1 to 100000',
    default: { otherwise: '1000' },
    secret: false,
  },
  STOWAGE_PENDING_CONNECTIONS_PER_ADDRESS: {
    roles: api,
    meaning:
      'How many such connections one IP address (IPv6: one /64 network) may have. Above this number its oldest one is closed. The proxies of STOWAGE_TRUSTED_PROXIES have no such limit. Connections on which someone has signed in do not count.',
    holds: 'a whole number from 1 to 100000',
    default: { otherwise: '250' },
    secret: false,
  },
  STOWAGE_PENDING_SOCKETS: {
    roles: api,
    meaning:
      'How many WebSockets may wait for their sign-in at the same time. A further WebSocket gets the status 503.',
    holds: 'a whole number from 1 to 100000',
    default: { otherwise: '1000' },
    secret: false,
  },
  STOWAGE_PENDING_SOCKETS_PER_ADDRESS: {
    roles: api,
    meaning:
      'How many WebSockets of one IP address (IPv6: of one /64 network) may wait for their sign-in at the same time. Behind a reverse proxy set STOWAGE_TRUSTED_PROXIES, because otherwise all clients have its address.',
    holds: 'a whole number from 1 to 100000',
    default: { otherwise: '100' },
    secret: false,
  },
  STOWAGE_SOCKET_MESSAGES_PER_SECOND: {
    roles: api,
    meaning:
      'How many messages of one WebSocket are handled per second. A burst may have twice as many. Further messages wait, and the socket is not read meanwhile.',
    holds: 'a whole number from 10 to 100000',
    default: { otherwise: '200' },
    secret: false,
  },
  STOWAGE_SOCKET_OPERATIONS_PER_SECOND: {
    roles: api,
    meaning: 'How many of these messages may start an operation.',
    holds: 'a whole number from 1 to 100000',
    default: { otherwise: '50' },
    secret: false,
  },
  STOWAGE_UNREAD_MIB_PER_VIEWER: {
    roles: api,
    meaning:
      'How many MiB the clients of one viewer may leave unread. Above this limit, no messages for their WebSockets and no long answers are produced.',
    holds: 'a whole number from 8 to 65536',
    default: { otherwise: '32' },
    secret: false,
  },
  STOWAGE_UNREAD_MIB: {
    roles: api,
    meaning: 'How many MiB the clients of all viewers together may leave unread.',
    holds: 'a whole number from 8 to 65536',
    default: { otherwise: '128' },
    secret: false,
  },
  STOWAGE_WORKER_CONCURRENCY: {
    roles: ['up', 'worker'],
    meaning: 'How many jobs a worker runs at once.',
    holds: 'a whole number from 1 to 64',
    default: { otherwise: '2' },
    secret: false,
  },
  STOWAGE_WORKER_LEASE: {
    roles: ['up', 'worker'],
    meaning:
      'How long a worker may be silent before it loses its jobs. It renews their leases 4.5 times as often. Use about the same value for all workers.',
    holds: 'an ISO 8601 duration of days to seconds, from PT5S to PT1H',
    default: { otherwise: 'PT45S' },
    secret: false,
  },
  STOWAGE_WORKER_GRACE: {
    roles: ['up', 'worker'],
    meaning:
      'How long a stopping worker lets its jobs finish before it hands them back. The rest of STOWAGE_STOP_GRACE is needed to hand jobs back.',
    holds: 'an ISO 8601 duration of days to seconds, from PT0S and shorter than STOWAGE_STOP_GRACE',
    default: { otherwise: 'STOWAGE_STOP_GRACE less 10 seconds' },
    secret: false,
  },
  STOWAGE_TOOL_UIDS: {
    roles: running,
    meaning:
      'The uids of programs that parse the data of a customer’s database server: dump tools, compressors, and the processes that talk to servers. Each runs under a uid of its own, and cannot read the master keys, the login of another tool, or the memory of Stowage. If it is unset, they run under the uid of Stowage. Read “Tools under uids of their own” first.',
    holds:
      'a range of uids such as 60800-60863 that nobody else uses on this machine: 16 or more, and on a worker 8 more for each further job at once',
    default: { otherwise: 'unset; in the image 60706-61183' },
    secret: false,
  },
  STOWAGE_TOOLS: {
    roles: running,
    meaning:
      'Folders with the clients of database systems, such as pg_dump. They come before the folders of the system (/usr/local/bin, /usr/bin, …), the PATH and the usual places of packages (/usr/lib/postgresql/*/bin, …). Several versions of a client may be installed: the right one is chosen for each server.',
    holds: 'absolute paths, separated by colons',
    default: { otherwise: 'unset' },
    secret: false,
  },
  STOWAGE_AUDIT_INTERVAL: {
    roles: ['up', 'worker'],
    meaning:
      'How often the container of each file endpoint is compared with the log. Objects that failed attempts left behind are deleted, and backups that are not in the container become MISSING.',
    holds: 'an ISO 8601 duration of days to seconds, from PT10M to P31D',
    default: { otherwise: 'PT6H' },
    secret: false,
  },
  STOWAGE_LOCK_PATIENCE: {
    roles: ['up', 'worker'],
    meaning:
      'How long another session may wait for a lock of a backup before the backup ends and is tried again later. Backups of plans with yieldToLocks: false do not end for this reason.',
    holds: 'an ISO 8601 duration of days to seconds, from PT1S to P1D',
    default: { otherwise: 'PT30S' },
    secret: false,
  },
  STOWAGE_PROJECT_SHARE: {
    roles: ['up', 'worker'],
    meaning:
      'How many slots of all workers one project may hold while another project waits. `all-but-one` keeps one slot for the other. A percentage is rounded down, and at least one slot remains; 100% sets no limit. Only slots that could run a job count. Use the same value for all workers.',
    holds: 'all-but-one, or a percentage from 1% to 100%',
    default: { otherwise: 'all-but-one' },
    secret: false,
  },
  STOWAGE_MAX_TIMEOUT: {
    roles: running,
    meaning:
      'The longest that an attempt of a backup may take, whatever its plan allows. Restores have no timeout. Use the same value for all processes.',
    holds: 'an ISO 8601 duration of days to seconds, from PT1M to P366D',
    default: { otherwise: 'unset: no maximum' },
    secret: false,
  },
  STOWAGE_STOP_GRACE: {
    roles: running,
    meaning: 'How long a stop may take. Requests are finished and jobs are handed back before the process ends.',
    holds: 'an ISO 8601 duration of days to seconds, from PT1S to PT1H',
    default: { otherwise: 'PT30S' },
    secret: false,
  },
  STOWAGE_LOG_LEVEL: {
    roles: [...all, signIn],
    meaning: 'The lowest level of messages that are logged.',
    holds: 'one of debug, info, warn, error',
    default: { otherwise: 'info' },
    secret: false,
  },
} as const satisfies Record<string, Setting>;

export type SettingName = keyof typeof settings;

export function settingNames(role: ProgramRole): readonly SettingName[] {
  return (Object.keys(settings) as SettingName[]).filter((name) => (settings[name] as Setting).roles.includes(role));
}

/** The default in words. Undefined: the setting is required. */
export function defaultOf(name: SettingName, role: ProgramRole): string | undefined {
  const { default: defaults }: Setting = settings[name];
  return defaults[role] ?? defaults.otherwise;
}
