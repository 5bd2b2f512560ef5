import { describe, expect, test } from '@jest/globals';
import { inspect } from 'node:util';
import { ConfigError } from './configError.js';
import { readConfig, type Environment, type Surroundings } from './config.js';
import { noProxies } from './server/client/trustedProxies.js';
import type { ProgramRole } from './settings.js';

const key = Buffer.alloc(32, 7).toString('base64');
const otherKey = Buffer.alloc(32, 8).toString('base64');
const token = 'a-token-of-twenty-four-chars';
const surroundings: Surroundings = {
  workingFolder: '/work',
  isRoot: false,
  readFile: (path) => {
    if (path === '/keys/good') return `${key}\n${otherKey}\n`;
    if (path === '/tokens/good') return `${token}\n${token}-2\n`;
    if (path === '/keys/bad') return `${key}\nhunter2\n`;
    throw Object.assign(new Error('no such file'), { code: 'ENOENT', syscall: 'open' });
  },
};
const serve: Environment = {
  DATABASE_URL: 'postgres://stowage:hunter2@db:5432/stowage',
  SCHEDULE_STORE_URL: 'mongodb://a:hunter2@one:27017,two:27017/stowage?replicaSet=rs',
  STOWAGE_MASTER_KEY: `${key}\n${otherKey}`,
  STOWAGE_ADMIN_TOKEN: token,
};

function problemsOf(role: ProgramRole, env: Environment): readonly string[] {
  try {
    readConfig(role, env, surroundings);
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
  return [];
}

describe('a configuration', () => {
  test('finds clients of databases in the folders of STOWAGE_TOOLS and of PATH', () => {
    const env = { STOWAGE_TOOLS: '/opt/pg18/bin:/opt/mysql/bin', PATH: '/usr/bin:.:/opt/x' };
    expect(readConfig('up', env, surroundings)).toMatchObject({
      toolFolders: ['/opt/pg18/bin', '/opt/mysql/bin'],
      pathFolders: ['/usr/bin', '/opt/x'],
    });
    expect(() => readConfig('up', { STOWAGE_TOOLS: 'bin' }, surroundings)).toThrow('STOWAGE_TOOLS holds "bin"');
  });

  test('of `up` needs no setting', () => {
    expect(readConfig('up', {}, surroundings)).toEqual({
      role: 'up',
      logLevel: 'info',
      stopGraceMs: 30_000,
      allowedTargets: {
        allows: expect.any(Function),
        allowsHost: expect.any(Function),
        withPrivateByDefault: expect.any(Function),
      },
      host: '127.0.0.1',
      port: 4000,
      publicUrl: null,
      minIntervalMs: 60_000,
      databasePatienceMs: 5_000,
      metricsToken: null,
      clientLimits: {
        requestsOfViewer: 12_000,
        requestsOfAddress: 120_000,
        socketsOfViewer: 100,
        pendingConnections: 1_000,
        pendingConnectionsOfAddress: 250,
        pendingSockets: 1_000,
        pendingSocketsOfAddress: 100,
        messagesPerSecond: 200,
        operationsPerSecond: 50,
        queuedBytesOfViewer: 33_554_432,
        queuedBytes: 134_217_728,
      },
      dataFolder: '/work/data',
      databaseUrl: null,
      migrationDatabaseUrl: null,
      auditRetentionMs: 31_536_000_000,
      trustedProxies: noProxies,
      provider: null,
      sessions: { idleMs: 7_200_000, lifetimeMs: 43_200_000 },
      scheduleStore: { kind: 'postgres' },
      masterKeys: null,
      adminToken: null,
      adminTokenFile: null,
      filesystemRoot: '/work/data/backups',
      concurrency: 2,
      leaseMs: 45_000,
      graceMs: 20_000,
      auditIntervalMs: 21_600_000,
      lockPatienceMs: 30_000,
      toolUids: null,
      toolFolders: [],
      pathFolders: [],
      masterKeyFile: null,
      projectShare: null,
      maxTimeoutMs: null,
    });
  });

  test('of `up` as root keeps its data in a folder that another uid can reach', () => {
    const config = readConfig('up', {}, { ...surroundings, isRoot: true });
    expect([config.dataFolder, config.filesystemRoot]).toEqual(['/var/lib/stowage', '/var/lib/stowage/backups']);
  });

  test('of `serve` contains the values that were set', () => {
    const config = readConfig(
      'serve',
      {
        ...serve,
        HOST: '::1',
        PORT: '0',
        STOWAGE_PUBLIC_URL: 'https://b.example/stowage/',
        STOWAGE_MIN_INTERVAL: 'PT5M',
      },
      surroundings,
    );
    expect(config).toMatchObject({
      host: '::1',
      port: 0,
      publicUrl: 'https://b.example/stowage',
      minIntervalMs: 300_000,
    });
    expect(config.masterKeys.map((each) => each.reveal())).toEqual([key, otherKey]);
    expect(config.adminToken.reveal()).toBe(token);
    expect(config.migrationDatabaseUrl.reveal()).toBe(serve['DATABASE_URL']);
  });

  test('reads master keys from a file', () => {
    const { STOWAGE_MASTER_KEY: _, ...rest } = serve;
    const config = readConfig('worker', { ...rest, STOWAGE_MASTER_KEY_FILE: '/keys/good' }, surroundings);
    expect(config.masterKeys.map((each) => each.reveal())).toEqual([key, otherKey]);
  });

  test('reads the admin tokens from a file', () => {
    const { STOWAGE_ADMIN_TOKEN: _, ...rest } = serve;
    const config = readConfig('serve', { ...rest, STOWAGE_ADMIN_TOKEN_FILE: '/tokens/good' }, surroundings);
    expect([config.adminToken.reveal(), config.adminTokenFile]).toEqual([token, '/tokens/good']);
  });

  test('never prints a secret', () => {
    const printed = inspect(readConfig('serve', serve, surroundings), { depth: 9 });
    expect(printed).toContain('[secret]');
    for (const secret of ['hunter2', key, token]) expect(printed).not.toContain(secret);
  });

  test('counts an empty variable as unset', () => {
    expect(readConfig('up', { PORT: '', STOWAGE_MASTER_KEY_FILE: ' ' }, surroundings).port).toBe(4000);
  });

  test('reports all missing settings at once', () => {
    const problems = problemsOf('serve', {});
    expect(problems).toHaveLength(4);
    for (const name of ['DATABASE_URL', 'SCHEDULE_STORE_URL', 'STOWAGE_MASTER_KEY_FILE', 'STOWAGE_ADMIN_TOKEN']) {
      expect(problems.filter((problem) => problem.includes(`${name} `))).not.toHaveLength(0);
    }
  });

  test('reads only the settings that its role uses', () => {
    expect(problemsOf('worker', { ...serve, PORT: 'abc' })).toEqual([]);
    expect(problemsOf('migrate', { DATABASE_URL: 'postgres://db/stowage', SCHEDULE_STORE_URL: '?' })).toEqual([]);
  });
});

describe('the targets that services and file endpoints may use', () => {
  test('include this machine and private networks with `up`, but not with `serve`', () => {
    expect(readConfig('up', {}, surroundings).allowedTargets.allows('127.0.0.1')).toBe(true);
    expect(readConfig('serve', serve, surroundings).allowedTargets.allows('127.0.0.1')).toBe(false);
    expect(readConfig('up', {}, surroundings).allowedTargets.allows('10.0.0.1')).toBe(true);
    expect(readConfig('serve', serve, surroundings).allowedTargets.allows('10.0.0.1')).toBe(false);
    expect(readConfig('serve', serve, surroundings).allowedTargets.allows('93.184.216.34')).toBe(true);
  });

  test('are the targets of the list, if there is one', () => {
    const env = { ...serve, STOWAGE_ALLOWED_TARGETS: '10.1.0.0/16' };
    const { allowedTargets } = readConfig('worker', env, surroundings);
    expect([allowedTargets.allows('10.1.2.3'), allowedTargets.allows('10.2.2.3')]).toEqual([true, false]);
  });
});

describe('a wrong setting', () => {
  const wrongs: readonly (readonly [name: string, value: string, sentence: RegExp])[] = [
    ['HOST', 'http://x', /^HOST holds "http:\/\/x"\. It should hold a host name/],
    ['HOST', '--x', /^HOST holds "--x"/],
    ['PORT', 'abc', /^PORT holds "abc"\. It should hold a port from 0 to 65535/],
    ['PORT', '65536', /^PORT holds "65536"/],
    ['PORT', '-1', /^PORT holds "-1"/],
    ['PORT', '1e3', /^PORT holds "1e3"/],
    ['STOWAGE_PUBLIC_URL', 'ftp://x', /^STOWAGE_PUBLIC_URL holds "ftp:\/\/x"\. It should hold an http/],
    ['STOWAGE_PUBLIC_URL', 'https://a:hunter2@x/', /^STOWAGE_PUBLIC_URL holds "https:\/\/\[secret\]@x\/"/],
    ['STOWAGE_PUBLIC_URL', 'https://x/?a=b', /^STOWAGE_PUBLIC_URL holds/],
    ['DATABASE_URL', 'mysql://a:hunter2@db/x', /^DATABASE_URL holds a value of 22 characters \(not shown\)/],
    ['DATABASE_URL', 'hunter2', /^DATABASE_URL holds a value of 7 characters/],
    ['DATABASE_URL', 'postgres://db', /\(it names no database\)\. It should hold a PostgreSQL URL/],
    ['MIGRATION_DATABASE_URL', 'hunter2', /^MIGRATION_DATABASE_URL holds a value of 7 characters/],
    ['SCHEDULE_STORE_URL', 'redis://x', /^SCHEDULE_STORE_URL holds a value of 9 characters/],
    ['STOWAGE_MASTER_KEY', 'hunter2', /^STOWAGE_MASTER_KEY holds .*\(line 1 is not 32 bytes in base64\)/],
    ['STOWAGE_MASTER_KEY', `${key}\n${key.slice(4)}`, /\(line 2 is not 32 bytes in base64\)/],
    ['STOWAGE_MASTER_KEY_FILE', '/keys/good', /^STOWAGE_MASTER_KEY and STOWAGE_MASTER_KEY_FILE are both set/],
    ['STOWAGE_ADMIN_TOKEN', 'hunter2', /^STOWAGE_ADMIN_TOKEN holds a value of 7 characters \(not shown\)/],
    ['STOWAGE_ADMIN_TOKEN_FILE', '/tokens/good', /^STOWAGE_ADMIN_TOKEN and STOWAGE_ADMIN_TOKEN_FILE are both set/],
    ['STOWAGE_ADMIN_TOKEN', 'a token with spaces, a long one', /^STOWAGE_ADMIN_TOKEN holds/],
    ['STOWAGE_FILESYSTEM_ROOT', 'backups', /^STOWAGE_FILESYSTEM_ROOT holds "backups"\. .* absolute path/],
    [
      'STOWAGE_ALLOWED_TARGETS',
      '10.0.0.0/99',
      /^STOWAGE_ALLOWED_TARGETS holds .* \('10\.0\.0\.0\/99' is not a network/,
    ],
    ['STOWAGE_TRUSTED_PROXIES', '10.0.0.1,proxy', /^STOWAGE_TRUSTED_PROXIES holds .* \('proxy' is no address/],
    ['STOWAGE_TRUSTED_PROXIES', '0.0.0.0/0', /^STOWAGE_TRUSTED_PROXIES holds .* is every address/],
    ['STOWAGE_MIN_INTERVAL', '60', /^STOWAGE_MIN_INTERVAL holds "60"\. It should hold an ISO 8601 duration/],
    ['STOWAGE_MIN_INTERVAL', 'P1M', /^STOWAGE_MIN_INTERVAL/],
    ['STOWAGE_MIN_INTERVAL', 'PT0S', /^STOWAGE_MIN_INTERVAL/],
    ['STOWAGE_STOP_GRACE', 'PT2H', /^STOWAGE_STOP_GRACE/],
    [
      'STOWAGE_LOG_LEVEL',
      'loud',
      /^STOWAGE_LOG_LEVEL holds "loud"\. It should hold one of debug, info, warn, error\.$/,
    ],
    ['OIDC_ISSUER', 'http://idp.example', /^OIDC_ISSUER holds "http:\/\/idp\.example"\. It should hold an https URL/],
    ['OIDC_ISSUER', 'https://idp.example', /^OIDC_CLIENT_ID is not set/],
    ['OIDC_CLOUD_FOUNDRY_URL', 'https://api.cf.example', /^OIDC_CLOUD_FOUNDRY_URL set without OIDC_ISSUER/],
    ['OIDC_CLIENT_SECRET', 'hunter2', /^OIDC_CLIENT_SECRET set without OIDC_ISSUER/],
  ];
  test.each(wrongs)('%s=%j is reported in a sentence without its secret', (name, value, sentence) => {
    const problems = problemsOf('serve', { ...serve, [name]: value });
    expect(problems.join('\n')).toMatch(sentence);
    expect(problems.join('\n')).not.toContain('hunter2');
  });

  test.each([
    ['0', false],
    ['1', true],
    ['64', true],
    ['65', false],
    ['2.5', false],
  ])('STOWAGE_WORKER_CONCURRENCY=%s is accepted: %s', (value, accepted) => {
    expect(problemsOf('worker', { ...serve, STOWAGE_WORKER_CONCURRENCY: value }).length === 0).toBe(accepted);
  });

  test.each([
    [{ STOWAGE_WORKER_LEASE: 'PT5S' }, /^$/],
    [{ STOWAGE_WORKER_LEASE: 'PT4S' }, /^STOWAGE_WORKER_LEASE holds "PT4S"\. It should hold .* from PT5S to PT1H\.$/],
    [{ STOWAGE_WORKER_GRACE: 'PT29S' }, /^$/],
    [{ STOWAGE_WORKER_GRACE: 'PT30S' }, /^STOWAGE_WORKER_GRACE holds PT30S, but STOWAGE_STOP_GRACE is PT30S/],
    [{ STOWAGE_WORKER_GRACE: 'PT5M', STOWAGE_STOP_GRACE: 'PT6M' }, /^$/],
    [{ STOWAGE_WORKER_GRACE: '20' }, /^STOWAGE_WORKER_GRACE holds "20"/],
  ])('the times %j of a worker are checked', (env, sentence) => {
    expect(problemsOf('worker', { ...serve, ...env }).join('\n')).toMatch(sentence);
  });

  test('a Cloud Foundry needs its scope, which is asked for by default', () => {
    const cloud = {
      ...serve,
      OIDC_ISSUER: 'https://uaa.cf.example/oauth/token',
      OIDC_CLIENT_ID: 'stowage',
      OIDC_CLOUD_FOUNDRY_URL: 'https://api.cf.example/',
    };
    const { provider } = readConfig('serve', cloud, surroundings);
    expect(provider?.scopes).toBe('openid cloud_controller_service_permissions.read');
    expect(provider?.cloudFoundry?.url).toBe('https://api.cf.example');
    expect(provider?.cloudFoundry?.allowedTargets.allowsHost('api.cf.example', '203.0.113.7')).toBe(true);
    expect(provider?.cloudFoundry?.allowedTargets.allowsHost('uaa.cf.example', '203.0.113.7')).toBe(false);
    expect(problemsOf('serve', { ...cloud, OIDC_SCOPES: 'openid profile' })).toEqual([
      'OIDC_CLOUD_FOUNDRY_URL is set, and OIDC_SCOPES does not contain cloud_controller_service_permissions.read. Add it, or leave OIDC_SCOPES unset.',
    ]);
    expect(problemsOf('serve', { ...cloud, OIDC_CLOUD_FOUNDRY_URL: 'http://api.cf.example' })[0]).toMatch(
      /^OIDC_CLOUD_FOUNDRY_URL holds "http:\/\/api\.cf\.example"\. It should hold an https URL/,
    );
  });

  test('the admin token of sign-in may come from the file', () => {
    const { adminToken } = readConfig('sign-in', { STOWAGE_ADMIN_TOKEN_FILE: '/tokens/good' }, surroundings);
    expect(adminToken?.reveal()).toMatch(/^.{24,}$/);
  });

  test('with a short STOWAGE_STOP_GRACE a worker only hands its jobs back', () => {
    expect(readConfig('worker', { ...serve, STOWAGE_STOP_GRACE: 'PT5S' }, surroundings).graceMs).toBe(0);
  });

  test('in the master key file is reported with the line or the reason, but never with the content', () => {
    const { STOWAGE_MASTER_KEY: _, ...rest } = serve;
    expect(problemsOf('serve', { ...rest, STOWAGE_MASTER_KEY_FILE: '/keys/bad' })).toEqual([
      'STOWAGE_MASTER_KEY_FILE holds "/keys/bad" (line 2 is not 32 bytes in base64). It should hold the path of a readable file with one key a line, newest first, each 32 bytes in base64.',
    ]);
    expect(problemsOf('serve', { ...rest, STOWAGE_MASTER_KEY_FILE: 'none' })[0]).toContain('cannot be read: ENOENT');
  });

  test('MIGRATION_DATABASE_URL without DATABASE_URL is refused', () => {
    expect(problemsOf('up', { MIGRATION_DATABASE_URL: 'postgres://db/x' })).toHaveLength(1);
  });
});
