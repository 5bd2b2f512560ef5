import { readFileSync } from 'node:fs';
import { isAbsolute, resolve } from 'node:path';
import type { z } from 'zod';
import { ConfigError } from './configError.js';
import { formatDuration } from './duration.js';
import { Secret } from './secret.js';
import {
  absolutePath,
  claimRules,
  clientSecret,
  absolutePaths,
  bearerToken,
  duration,
  hostName,
  issuerUrl,
  keyLines,
  tokenLines,
  level,
  postgresUrl,
  printable,
  publicUrl as publicUrlCheck,
  scopes,
  share,
  storeUrl,
  targets,
  trustedProxies,
  uidRange,
  wholeNumber,
  type LogLevel,
  type ScheduleStore,
} from './settingChecks.js';
import { noProxies, type TrustedProxies } from './server/client/trustedProxies.js';
import { systemCode } from './storage/filesystem/filesystemErrors.js';
import type { ClaimRule } from './signIn/claimRules.js';
import { isLoopback } from './signIn/site.js';
import {
  allowedTargetsOfUp,
  defaultAllowedTargets,
  parseAllowedTargets,
  type AllowedTargets,
} from './storage/allowedTargets.js';
import { settingNames, settings, type ProgramRole, type SettingName } from './settings.js';

type Common = {
  readonly logLevel: LogLevel;
  readonly stopGraceMs: number;
  /** The longest that an attempt of a backup may take. Null: no maximum. */
  readonly maxTimeoutMs: number | null;
};

export type StoreConfig = {
  /** The URL of PostgreSQL. It is secret because it contains the password. */
  readonly databaseUrl: Secret;
  /** The URL of PostgreSQL for the role that owns the tables. */
  readonly migrationDatabaseUrl: Secret;
  readonly scheduleStore: ScheduleStore;
};

export type ApiConfig = {
  readonly host: string;
  /** 0 means any free port. */
  readonly port: number;
  /** A URL without a slash at the end. Null: the address that the API listens on. */
  readonly publicUrl: string | null;
  readonly minIntervalMs: number;
  /** How long a request waits for a PostgreSQL that does not answer. */
  readonly databasePatienceMs: number;
  /** Null: only the admin token opens all of /metrics. */
  readonly metricsToken: Secret | null;
  readonly clientLimits: ClientLimits;
  /** Where people sign in. Null: only with one-time links. */
  readonly provider: ProviderConfig | null;
  /** How long entries of the audit are kept. */
  readonly auditRetentionMs: number;
  /** The reverse proxies whose headers about clients are believed. */
  readonly trustedProxies: TrustedProxies;
  /** When the sessions of people end. */
  readonly sessions: { readonly idleMs: number; readonly lifetimeMs: number };
};

export type ProviderConfig = {
  readonly issuer: string;
  readonly clientId: string;
  readonly clientSecret: Secret | null;
  /** Separated by spaces. */
  readonly scopes: string;
  readonly claimRules: readonly ClaimRule[];
  /** The audience of access tokens of the provider. Null: they are refused. */
  readonly audience: string | null;
  /** The host of the issuer, and further hosts that its metadata may name. */
  readonly allowedTargets: AllowedTargets;
  /** The provider is the UAA of Cloud Foundry. */
  readonly isUaa: boolean;
  /** The platform that gives people rights in service instances. Null: there is none. */
  readonly cloudFoundry: CloudFoundryConfig | null;
};

export type CloudFoundryConfig = {
  /** Without a slash at the end. */
  readonly url: string;
  /** The host of the URL alone. */
  readonly allowedTargets: AllowedTargets;
};

/** The share of the server that clients of the API may use before they are slowed down or refused. */
export type ClientLimits = {
  /** In a minute, over HTTP. */
  readonly requestsOfViewer: number;
  readonly requestsOfAddress: number;
  readonly socketsOfViewer: number;
  readonly pendingConnections: number;
  readonly pendingConnectionsOfAddress: number;
  readonly pendingSockets: number;
  readonly pendingSocketsOfAddress: number;
  readonly messagesPerSecond: number;
  readonly operationsPerSecond: number;
  readonly queuedBytesOfViewer: number;
  readonly queuedBytes: number;
};

export type ToolConfig = {
  /** The uids under which tools run. Null: the uid of this process. */
  readonly toolUids: { readonly first: number; readonly last: number } | null;
  /** Absolute paths of the folders that are searched first for programs. */
  readonly toolFolders: readonly string[];
  /** The absolute paths of the PATH. */
  readonly pathFolders: readonly string[];
  /** An absolute path. Null: the keys are not in a file of the setting. */
  readonly masterKeyFile: string | null;
};

export type TargetConfig = { readonly allowedTargets: AllowedTargets };

export type ServeConfig = Common &
  StoreConfig &
  ApiConfig &
  ToolConfig &
  TargetConfig & {
    readonly role: 'serve';
    /** Keys of 32 bytes each in base64, newest first. */
    readonly masterKeys: readonly Secret[];
    readonly adminToken: Secret;
    /** An absolute path. `adminToken` is its first token. Null: `adminToken` never changes. */
    readonly adminTokenFile: string | null;
    /** An absolute path. Null: FILESYSTEM endpoints are refused. */
    readonly filesystemRoot: string | null;
  };

export type WorkingConfig = {
  /** The number of jobs at once. */
  readonly concurrency: number;
  readonly leaseMs: number;
  /** How long jobs may continue while the worker stops. Shorter than `stopGraceMs`. */
  readonly graceMs: number;
  readonly auditIntervalMs: number;
  /** How long other sessions may wait for a lock of a backup before the backup ends. */
  readonly lockPatienceMs: number;
  /** The part of the slots that one project may hold while another waits. Null: all slots but one. */
  readonly projectShare: number | null;
};

export type WorkerConfig = Common &
  StoreConfig &
  TargetConfig &
  ToolConfig &
  WorkingConfig & {
    readonly role: 'worker';
    readonly masterKeys: readonly Secret[];
    readonly filesystemRoot: string | null;
  };

export type UpConfig = Common &
  ApiConfig &
  TargetConfig &
  ToolConfig &
  WorkingConfig & {
    readonly role: 'up';
    /** An absolute path. */
    readonly dataFolder: string;
    /** Null: the embedded server. */
    readonly databaseUrl: Secret | null;
    readonly migrationDatabaseUrl: Secret | null;
    readonly scheduleStore: ScheduleStore;
    /** Null: it is generated once in the data folder. */
    readonly masterKeys: readonly Secret[] | null;
    /** Null: it is generated once in the data folder, and printed. */
    readonly adminToken: Secret | null;
    readonly adminTokenFile: string | null;
    readonly filesystemRoot: string;
  };

export type MigrateConfig = { readonly role: 'migrate'; readonly logLevel: LogLevel } & Pick<
  StoreConfig,
  'databaseUrl' | 'migrationDatabaseUrl'
>;

export type AdoptPrefixesConfig = { readonly role: 'adopt-prefixes'; readonly logLevel: LogLevel } & Pick<
  UpConfig,
  'databaseUrl' | 'migrationDatabaseUrl' | 'dataFolder'
>;

export type PrivateTargetsConfig = { readonly role: 'private-targets'; readonly logLevel: LogLevel } & Pick<
  StoreConfig,
  'databaseUrl' | 'migrationDatabaseUrl'
> &
  TargetConfig;

/** To ask a running API for a one-time link. */
export type SignInConfig = { readonly role: 'sign-in'; readonly logLevel: LogLevel } & Pick<
  ApiConfig,
  'host' | 'port'
> &
  Pick<UpConfig, 'dataFolder' | 'adminToken'>;

export type ConfigOf = {
  up: UpConfig;
  serve: ServeConfig;
  worker: WorkerConfig;
  migrate: MigrateConfig;
  'adopt-prefixes': AdoptPrefixesConfig;
  'private-targets': PrivateTargetsConfig;
  'sign-in': SignInConfig;
};

export type Environment = Readonly<Record<string, string | undefined>>;

/** The inputs of a configuration besides the environment. */
export type Surroundings = {
  readonly workingFolder: string;
  readonly isRoot: boolean;
  readonly readFile: (path: string) => string;
};

/**
 * The checked settings of a role. An empty variable counts as unset.
 * @throws ConfigError with all problems at once. It names variables and their values, but never the value of a secret.
 */
export function readConfig<R extends ProgramRole>(
  role: R,
  env: Environment,
  surroundings: Surroundings = thisMachine(),
): ConfigOf[R] {
  const reader = new Reader(role, env, surroundings);
  const config = configs[role](reader);
  if (reader.problems.length > 0) throw new ConfigError(reader.problems);
  return config;
}

function thisMachine(): Surroundings {
  return {
    workingFolder: process.cwd(),
    isRoot: process.getuid?.() === 0,
    readFile: (path) => readFileSync(path, 'utf8'),
  };
}

const configs: { readonly [R in ProgramRole]: (reader: Reader) => ConfigOf[R] } = {
  up(reader) {
    const own = ownOrGivenDatabase(reader);
    const common = running(reader, allowedTargetsOfUp);
    const jobs = working(reader, common);
    return {
      role: 'up',
      ...common,
      ...jobs,
      ...api(reader),
      ...own,
      ...tools(reader, jobs.concurrency),
      scheduleStore: reader.value('SCHEDULE_STORE_URL', storeUrl, 'postgres'),
      masterKeys: masterKeys(reader),
      ...adminToken(reader),
      filesystemRoot: reader.value('STOWAGE_FILESYSTEM_ROOT', absolutePath, resolve(own.dataFolder, 'backups')),
    };
  },
  serve: (reader) => ({
    role: 'serve',
    ...running(reader),
    ...api(reader),
    ...databases(reader),
    ...tools(reader),
    scheduleStore: reader.value('SCHEDULE_STORE_URL', storeUrl),
    masterKeys: demandedMasterKeys(reader),
    ...demandedAdminToken(reader),
    filesystemRoot: reader.optional('STOWAGE_FILESYSTEM_ROOT', absolutePath),
  }),
  worker(reader) {
    const common = running(reader);
    const jobs = working(reader, common);
    return {
      role: 'worker',
      ...common,
      ...jobs,
      ...databases(reader),
      ...tools(reader, jobs.concurrency),
      scheduleStore: reader.value('SCHEDULE_STORE_URL', storeUrl),
      masterKeys: demandedMasterKeys(reader),
      filesystemRoot: reader.optional('STOWAGE_FILESYSTEM_ROOT', absolutePath),
    };
  },
  migrate: (reader) => ({
    role: 'migrate',
    logLevel: reader.value('STOWAGE_LOG_LEVEL', level, 'info'),
    ...databases(reader),
  }),
  'private-targets': (reader) => ({
    role: 'private-targets',
    logLevel: reader.value('STOWAGE_LOG_LEVEL', level, 'info'),
    allowedTargets: reader.value('STOWAGE_ALLOWED_TARGETS', targets, defaultAllowedTargets),
    ...databases(reader),
  }),
  'adopt-prefixes': (reader) => ({
    role: 'adopt-prefixes',
    logLevel: reader.value('STOWAGE_LOG_LEVEL', level, 'info'),
    ...ownOrGivenDatabase(reader),
  }),
  'sign-in': (reader) => ({
    role: 'sign-in',
    logLevel: reader.value('STOWAGE_LOG_LEVEL', level, 'info'),
    host: reader.value('HOST', hostName, '127.0.0.1'),
    port: reader.value('PORT', wholeNumber(0, 65_535), '4000'),
    dataFolder: dataFolder(reader),
    adminToken: adminToken(reader).adminToken,
  }),
};

function running(reader: Reader, targetsByDefault = defaultAllowedTargets): Common & TargetConfig {
  return {
    logLevel: reader.value('STOWAGE_LOG_LEVEL', level, 'info'),
    stopGraceMs: reader.value('STOWAGE_STOP_GRACE', duration('PT1S', 'PT1H'), 'PT30S'),
    maxTimeoutMs: reader.optional('STOWAGE_MAX_TIMEOUT', duration('PT1M', 'P366D')),
    allowedTargets: reader.value('STOWAGE_ALLOWED_TARGETS', targets, targetsByDefault),
  };
}

/** The part of STOWAGE_STOP_GRACE that is reserved by default for ending tools and handing jobs back. */
const handBackMs = 10_000;

function working(reader: Reader, { stopGraceMs }: Common): WorkingConfig {
  const graceMs = reader.optional('STOWAGE_WORKER_GRACE', duration('PT0S', 'PT1H'));
  if (graceMs !== null && graceMs >= stopGraceMs) {
    reader.problems.push(
      `STOWAGE_WORKER_GRACE holds ${formatDuration(graceMs)}, but STOWAGE_STOP_GRACE is ${formatDuration(stopGraceMs)}: ` +
        'jobs would be killed instead of handed back. Set a shorter time, or a longer STOWAGE_STOP_GRACE.',
    );
  }
  return {
    concurrency: reader.value('STOWAGE_WORKER_CONCURRENCY', wholeNumber(1, 64), '2'),
    leaseMs: reader.value('STOWAGE_WORKER_LEASE', duration('PT5S', 'PT1H'), 'PT45S'),
    graceMs: graceMs ?? Math.max(0, stopGraceMs - handBackMs),
    auditIntervalMs: reader.value('STOWAGE_AUDIT_INTERVAL', duration('PT10M', 'P31D'), 'PT6H'),
    lockPatienceMs: reader.value('STOWAGE_LOCK_PATIENCE', duration('PT1S', 'P1D'), 'PT30S'),
    projectShare: reader.value('STOWAGE_PROJECT_SHARE', share, 'all-but-one'),
  };
}

function api(reader: Reader): ApiConfig {
  const publicUrl = reader.optional('STOWAGE_PUBLIC_URL', publicUrlCheck);
  return {
    host: reader.value('HOST', hostName, '127.0.0.1'),
    port: reader.value('PORT', wholeNumber(0, 65_535), '4000'),
    publicUrl,
    provider: provider(reader, publicUrl),
    minIntervalMs: reader.value('STOWAGE_MIN_INTERVAL', duration('PT1S', 'P366D'), 'PT60S'),
    databasePatienceMs: reader.value('STOWAGE_DATABASE_PATIENCE', duration('PT1S', 'PT5M'), 'PT5S'),
    metricsToken: reader.optional('STOWAGE_METRICS_TOKEN', bearerToken),
    clientLimits: clientLimits(reader),
    trustedProxies: reader.optional('STOWAGE_TRUSTED_PROXIES', trustedProxies) ?? noProxies,
    auditRetentionMs: reader.value('STOWAGE_AUDIT_RETENTION', duration('P1D', 'P3660D'), 'P365D'),
    sessions: {
      idleMs: reader.value('STOWAGE_SESSION_IDLE', duration('PT5M', 'P31D'), 'PT2H'),
      lifetimeMs: reader.value('STOWAGE_SESSION_LIFETIME', duration('PT5M', 'P31D'), 'PT12H'),
    },
  };
}

const providerDetails = [
  ...(['OIDC_CLIENT_ID', 'OIDC_CLIENT_SECRET', 'OIDC_SCOPES', 'OIDC_CLAIM_RULES'] as const),
  ...(['OIDC_AUDIENCE', 'OIDC_ALLOWED_TARGETS', 'OIDC_CLOUD_FOUNDRY_URL'] as const),
];

function provider(reader: Reader, publicUrl: string | null): ProviderConfig | null {
  if (reader.given('OIDC_ISSUER') === undefined) {
    const without = providerDetails.filter((name) => reader.given(name) !== undefined);
    if (without.length > 0) reader.problems.push(`${without.join(', ')} set without OIDC_ISSUER. Set OIDC_ISSUER too.`);
    return null;
  }
  if (publicUrl?.startsWith('http:') === true && !isLoopback(new URL(publicUrl).hostname)) {
    reader.problems.push(
      'OIDC_ISSUER is set, and STOWAGE_PUBLIC_URL is not https. People can sign in only over https.',
    );
  }
  const issuer = reader.value('OIDC_ISSUER', issuerUrl);
  const issuerHost = hostOf(issuer);
  const further = reader.value('OIDC_ALLOWED_TARGETS', targets, issuerHost);
  const ofIssuer = parseAllowedTargets(issuerHost);
  const platform = cloudFoundry(reader);
  return {
    issuer,
    clientId: reader.value('OIDC_CLIENT_ID', printable(1)),
    clientSecret: reader.optional('OIDC_CLIENT_SECRET', clientSecret),
    scopes: reader.value('OIDC_SCOPES', scopes, platform === null ? 'openid profile' : `openid ${permissionsScope}`),
    claimRules: reader.value('OIDC_CLAIM_RULES', claimRules, '[]'),
    audience: reader.optional('OIDC_AUDIENCE', printable(1)),
    allowedTargets: anyOf(ofIssuer, further),
    isUaa: platform !== null,
    cloudFoundry: platform,
  };
}

/** The scope of a token with which Cloud Foundry answers what its person may do with a service instance. */
const permissionsScope = 'cloud_controller_service_permissions.read';

function cloudFoundry(reader: Reader): CloudFoundryConfig | null {
  const url = reader.optional('OIDC_CLOUD_FOUNDRY_URL', issuerUrl)?.replace(/\/+$/, '');
  if (url === undefined) return null;
  const given = reader.given('OIDC_SCOPES')?.split(/\s+/);
  if (given?.includes(permissionsScope) === false) {
    reader.problems.push(
      `OIDC_CLOUD_FOUNDRY_URL is set, and OIDC_SCOPES does not contain ${permissionsScope}. Add it, or leave OIDC_SCOPES unset.`,
    );
  }
  return { url, allowedTargets: parseAllowedTargets(hostOf(url)) };
}

function hostOf(url: string): string {
  return URL.canParse(url) ? new URL(url).hostname.replace(/^\[|\]$/g, '') : '';
}

function anyOf(...all: readonly AllowedTargets[]): AllowedTargets {
  return {
    allows: (address) => all.some((each) => each.allows(address)),
    allowsHost: (host, address) => all.some((each) => each.allowsHost(host, address)),
    withPrivateByDefault: () => anyOf(...all.map((each) => each.withPrivateByDefault())),
  };
}

const mebibyte = 1_048_576;

function clientLimits(reader: Reader): ClientLimits {
  const count = wholeNumber(1, 100_000);
  const mebibytes = wholeNumber(8, 65_536);
  return {
    requestsOfViewer: reader.value('STOWAGE_REQUESTS_PER_VIEWER', wholeNumber(60, 10_000_000), '12000'),
    requestsOfAddress: reader.value('STOWAGE_REQUESTS_PER_ADDRESS', wholeNumber(60, 10_000_000), '120000'),
    socketsOfViewer: reader.value('STOWAGE_SOCKETS_PER_VIEWER', wholeNumber(32, 100_000), '100'),
    pendingConnections: reader.value('STOWAGE_PENDING_CONNECTIONS', count, '1000'),
    pendingConnectionsOfAddress: reader.value('STOWAGE_PENDING_CONNECTIONS_PER_ADDRESS', count, '250'),
    pendingSockets: reader.value('STOWAGE_PENDING_SOCKETS', count, '1000'),
    pendingSocketsOfAddress: reader.value('STOWAGE_PENDING_SOCKETS_PER_ADDRESS', count, '100'),
    messagesPerSecond: reader.value('STOWAGE_SOCKET_MESSAGES_PER_SECOND', wholeNumber(10, 100_000), '200'),
    operationsPerSecond: reader.value('STOWAGE_SOCKET_OPERATIONS_PER_SECOND', count, '50'),
    queuedBytesOfViewer: mebibyte * reader.value('STOWAGE_UNREAD_MIB_PER_VIEWER', mebibytes, '32'),
    queuedBytes: mebibyte * reader.value('STOWAGE_UNREAD_MIB', mebibytes, '128'),
  };
}

/** How many uids a job, a process itself and the checks of its API may need at once. */
const uidsOfJob = 8;
const uidsBesideJobs = 8;

function tools(reader: Reader, concurrency = 1): ToolConfig {
  const toolUids = reader.optional('STOWAGE_TOOL_UIDS', uidRange);
  const size = toolUids === null ? Infinity : toolUids.last - toolUids.first + 1;
  const least = uidsBesideJobs + uidsOfJob * concurrency;
  if (size < least) {
    reader.problems.push(
      `STOWAGE_TOOL_UIDS holds ${size} uids, and ${least} are needed: ${uidsBesideJobs}, and ${uidsOfJob} for each job at ` +
        'once (STOWAGE_WORKER_CONCURRENCY). Make the range larger.',
    );
  }
  const keyFile = reader.given('STOWAGE_MASTER_KEY_FILE');
  return {
    toolUids,
    toolFolders: reader.optional('STOWAGE_TOOLS', absolutePaths) ?? [],
    pathFolders: reader.pathFolders(),
    masterKeyFile: keyFile === undefined ? null : resolve(reader.surroundings.workingFolder, keyFile),
  };
}

function databases(reader: Reader): Pick<StoreConfig, 'databaseUrl' | 'migrationDatabaseUrl'> {
  const databaseUrl = reader.value('DATABASE_URL', postgresUrl);
  return {
    databaseUrl,
    migrationDatabaseUrl: reader.optional('MIGRATION_DATABASE_URL', postgresUrl) ?? databaseUrl,
  };
}

function ownOrGivenDatabase(reader: Reader): Pick<UpConfig, 'dataFolder' | 'databaseUrl' | 'migrationDatabaseUrl'> {
  const databaseUrl = reader.optional('DATABASE_URL', postgresUrl);
  if (databaseUrl === null && reader.given('MIGRATION_DATABASE_URL') !== undefined) {
    reader.problems.push(
      'MIGRATION_DATABASE_URL is set without DATABASE_URL. Set both, or neither for the embedded server.',
    );
  }
  const migrationDatabaseUrl = reader.optional('MIGRATION_DATABASE_URL', postgresUrl) ?? databaseUrl;
  return { dataFolder: dataFolder(reader), databaseUrl, migrationDatabaseUrl };
}

function dataFolder(reader: Reader): string {
  const byDefault = reader.surroundings.isRoot ? '/var/lib/stowage' : 'data';
  return resolve(reader.surroundings.workingFolder, reader.given('STOWAGE_DATA') ?? byDefault);
}

function masterKeys(reader: Reader): readonly Secret[] | null {
  const path = reader.given('STOWAGE_MASTER_KEY_FILE');
  if (path === undefined) return reader.optional('STOWAGE_MASTER_KEY', keyLines);
  if (reader.given('STOWAGE_MASTER_KEY') !== undefined) {
    reader.problems.push('STOWAGE_MASTER_KEY and STOWAGE_MASTER_KEY_FILE are both set. Set one of the two.');
    return null;
  }
  return linesOfFile(reader, 'STOWAGE_MASTER_KEY_FILE', path, keyLines);
}

/** The checked content of the file that a setting names. Null: there is a problem, which is reported. */
function linesOfFile(
  reader: Reader,
  name: SettingName,
  path: string,
  check: z.ZodType<readonly Secret[], string>,
): readonly Secret[] | null {
  try {
    const result = check.safeParse(reader.surroundings.readFile(resolve(reader.surroundings.workingFolder, path)));
    if (result.success) return result.data;
    reader.problems.push(wrong(name, path, result.error.issues[0]?.message));
  } catch (error) {
    reader.problems.push(wrong(name, path, `the file cannot be read: ${systemCode(error) ?? 'unknown reason'}`));
  }
  return null;
}

type AdminToken<Token> = { readonly adminToken: Token; readonly adminTokenFile: string | null };

function adminToken(reader: Reader): AdminToken<Secret | null> {
  const given = reader.given('STOWAGE_ADMIN_TOKEN_FILE');
  if (given === undefined) {
    return { adminToken: reader.optional('STOWAGE_ADMIN_TOKEN', bearerToken), adminTokenFile: null };
  }
  if (reader.given('STOWAGE_ADMIN_TOKEN') !== undefined) {
    reader.problems.push('STOWAGE_ADMIN_TOKEN and STOWAGE_ADMIN_TOKEN_FILE are both set. Set one of the two.');
  }
  const adminTokenFile = resolve(reader.surroundings.workingFolder, given);
  const [first = null] = linesOfFile(reader, 'STOWAGE_ADMIN_TOKEN_FILE', given, tokenLines) ?? [];
  return { adminToken: first, adminTokenFile };
}

function demandedAdminToken(reader: Reader): AdminToken<Secret> {
  if (reader.given('STOWAGE_ADMIN_TOKEN_FILE') === undefined) {
    return { adminToken: reader.value('STOWAGE_ADMIN_TOKEN', bearerToken), adminTokenFile: null };
  }
  const { adminToken: token, adminTokenFile } = adminToken(reader);
  // A file with a problem ends the start, so the empty token is never used.
  return { adminToken: token ?? new Secret(''), adminTokenFile };
}

function demandedMasterKeys(reader: Reader): readonly Secret[] {
  const names = ['STOWAGE_MASTER_KEY_FILE', 'STOWAGE_MASTER_KEY'] as const;
  if (names.every((name) => reader.given(name) === undefined)) {
    const shapes = names.map((name) => `${name} should hold ${settings[name].holds}`);
    reader.problems.push(`Neither ${names.join(' nor ')} is set. ${shapes.join('; ')}.`);
  }
  return masterKeys(reader) ?? [];
}

/** Reads variables and collects their problems, so that a person gets all problems at once. */
class Reader {
  readonly problems: string[] = [];

  constructor(
    private readonly role: ProgramRole,
    private readonly env: Environment,
    readonly surroundings: Surroundings,
  ) {}

  /** The folders of `PATH`, which is no setting of Stowage. */
  pathFolders(): readonly string[] {
    return (this.env['PATH'] ?? '').split(':').filter((path) => isAbsolute(path));
  }

  given(name: SettingName): string | undefined {
    if (!settingNames(this.role).includes(name))
      throw new Error(`${this.role} does not read ${name}: see settings.ts.`);
    const value = this.env[name]?.trim();
    return value === '' ? undefined : value;
  }

  optional<T>(name: SettingName, check: z.ZodType<T, string>): T | null {
    return this.given(name) === undefined ? null : this.value(name, check);
  }

  value<T>(name: SettingName, check: z.ZodType<T, string>, fallback?: string): T {
    const value = this.given(name) ?? fallback;
    if (value === undefined) return this.failed(`${name} is not set. It should hold ${settings[name].holds}.`);
    const result = check.safeParse(value);
    return result.success ? result.data : this.failed(wrong(name, value, result.error.issues[0]?.message));
  }

  /** The returned value is never used, because readConfig throws if there is a problem. */
  private failed(problem: string): never {
    this.problems.push(problem);
    return undefined as never;
  }
}

function wrong(name: SettingName, value: string, detail = ''): string {
  const { secret, holds } = settings[name];
  const withoutPassword = value.replace(/\/\/[^/@]*@/, '//[secret]@');
  const shown = secret ? `a value of ${value.length} characters (not shown)` : JSON.stringify(withoutPassword);
  return `${name} holds ${shown}${detail.trim() === '' ? '' : ` (${detail})`}. It should hold ${holds}.`;
}
