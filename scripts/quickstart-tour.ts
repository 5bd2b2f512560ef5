/**
 * The part of `scripts/quickstart` that uses a running server, as any client does: GraphQL over HTTP, and subscriptions over
 * graphql-ws. It prints every step. A failure prints the step, the reason and what to do, and the exit code is 1.
 */
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs, promisify } from 'node:util';
import { createClient, type Client } from 'graphql-ws';
import WebSocket from 'ws';
import { identicalMongodb } from './quickstart-mongodb.js';

const { values: options } = parseArgs({
  options: {
    url: { type: 'string' },
    /** `mariadb`, `mysql`, `postgresql` or `mongodb`. */
    engine: { type: 'string', default: 'mariadb' },
    /** The folder of the tools of PostgreSQL or MySQL, for the comparison. */
    tools: { type: 'string' },
    'token-file': { type: 'string' },
    'password-file': { type: 'string' },
    /** The folder of a FILESYSTEM endpoint in the folder of the project. */
    backups: { type: 'string' },
    /** The auth URL of Swift. Absent: the backup goes into the folder. */
    swift: { type: 'string' },
    /** The URL of the user's own database. Absent: the tour uses the sample servers source and target. */
    service: { type: 'string' },
    source: { type: 'string' },
    target: { type: 'string' },
    'source-client': { type: 'string' },
    'target-client': { type: 'string' },
  },
});

type Answer = { readonly [field: string]: unknown };
type GraphQLFailure = {
  readonly message: string;
  readonly extensions?: {
    readonly code?: string;
    readonly help?: string;
    readonly details?: {
      readonly fields?: readonly { readonly path: string; readonly problem: string; readonly hint: string }[];
      readonly check?: { readonly steps: readonly CheckStep[] };
    };
  };
};
type CheckStep = { name: string; status: string; message: string | null; hint: string | null };
type Job = {
  readonly id: string;
  readonly status: string;
  readonly phase: string | null;
  readonly message: string;
  readonly executionTime: string | null;
  readonly warnings: readonly string[];
  readonly error: { code: string; message: string; hint: string | null; toolOutput: string | null } | null;
  readonly progress: { readBytes: number; storedBytes: number; segments: number; bytesPerSecond: number } | null;
  readonly size?: number | null;
  readonly storedSize?: number | null;
  readonly parts?: readonly { objectName: string; checksum: string; restoreByHand: string }[];
  readonly differences?: readonly { path: string; expected: string | null; actual: string | null }[] | null;
};

const url = required('url');
const token = readFileSync(required('token-file'), 'utf8').trim();
const password = readFileSync(required('password-file'), 'utf8');
/** The public test user that scripts/servers/swift-up creates. */
const swiftUser = { user: 'test:tester', key: 'testing' };
const longestJobMs = 30 * 60_000;

/** The current step, for the message of a failure. */
let current = 'the start';

class Failure extends Error {
  constructor(
    message: string,
    readonly help: string,
  ) {
    super(message);
  }
}

const subscriptions = createClient({
  url: `${url.replace(/^http/, 'ws')}/graphql`,
  webSocketImpl: WebSocket,
  connectionParams: { authorization: `Bearer ${token}` },
  retryAttempts: 0,
});
try {
  await tour(subscriptions);
} catch (error) {
  const help = error instanceof Failure ? error.help : 'Read the log of the server.';
  const why = error instanceof Error ? error.message : String(error);
  process.stderr.write(`\nThe quickstart stopped at: ${current}\n  Why:        ${why}\n  What to do: ${help}\n`);
  process.exitCode = 1;
} finally {
  await subscriptions.dispose();
}

async function tour(client: Client): Promise<void> {
  const projectId = await step('Creating a project', async () => {
    const name = `Quickstart ${new Date().toISOString().slice(0, 19).replace('T', ' ')}`;
    return idOf(
      'createProject',
      await request(`mutation ($name: String!) { createProject(name: $name) { id } }`, { name }),
    );
  });
  const source = await step('Registering the service to back up (it is validated first)', async () => {
    await validate(projectId, sourceInput());
    return register(projectId, sourceInput());
  });
  const target =
    options.target === undefined
      ? undefined
      : await step('Registering the second service, to restore into', () =>
          register(projectId, { name: 'target', ...local(options.target) }),
        );
  const fileEndpointId = await step('Creating a file endpoint (it is validated first)', () =>
    createEndpoint(projectId),
  );
  const planId = await step('Creating a backup plan: daily at 3:00 UTC, kept for 7 days', () =>
    createPlan(source, fileEndpointId),
  );

  const backup = await step('Backing up, watched over the subscription', async () => {
    const answer = await request(
      `mutation ($planId: ID!) { startBackup(input: { planId: $planId }) { jobs { id } } }`,
      {
        planId,
      },
    );
    const { jobs } = answer['startBackup'] as { jobs: readonly { id: string }[] };
    const [job] = jobs;
    if (job === undefined) throw new Failure('No job was created.', 'Read the log of the server.');
    return succeeded(
      await watch(client, 'backupJob', job.id, 'size storedSize parts { objectName checksum restoreByHand }'),
    );
  });
  if (target !== undefined) {
    await step('Restoring into the second server, watched over the subscription', async () => {
      const answer = await request(`mutation ($input: StartRestoreInput!) { startRestore(input: $input) { id } }`, {
        input: { backupJobId: backup.id, target: { asNew: { serviceId: target } } },
      });
      const restored = succeeded(
        await watch(client, 'restoreJob', idOf('startRestore', answer), 'differences { path expected actual }'),
      );
      for (const { path, expected, actual } of restored.differences ?? []) {
        throw new Failure(
          `The restored database differs: ${path} is ${actual ?? 'absent'} instead of ${expected ?? 'absent'}.`,
          'Report it: a restore that differs is a defect.',
        );
      }
    });
    await compareServers();
  }
  print('');
  for (const part of backup.parts ?? []) {
    print(`Object           ${part.objectName}`);
    print(`SHA-256          ${part.checksum}`);
    print(`Restore by hand  ${part.restoreByHand}`);
  }
  if (options.swift !== undefined) {
    print(`swift needs      export ST_AUTH=${options.swift} ST_USER=${swiftUser.user} ST_KEY=${swiftUser.key}`);
  }
  print(`API              ${url}/graphql`);
  print(`Playground       ${url}/playground`);
  const { createSignInLink: link } = await request('mutation { createSignInLink { url } }', {});
  print(`Sign in          ${(link as { url: string }).url} (once, within ten minutes)`);
  print(`Token            ${token}`);
}

function sourceInput(): object {
  if (options.service === undefined) return { name: 'source', ...local(options.source) };
  const address = new URL(options.service);
  const database = decodeURIComponent(address.pathname.slice(1));
  return {
    name: address.hostname,
    host: address.hostname,
    ...(address.port === '' ? {} : { port: Number(address.port) }),
    username: decodeURIComponent(address.username),
    ...(database === '' ? {} : { databases: [database] }),
  };
}

function local(port: string | undefined): object {
  const address = { host: '127.0.0.1', port: Number(port) };
  // The sample servers of MongoDB ask for no login.
  return options.engine === 'mongodb' ? address : { ...address, username: 'stowage' };
}

function serviceInput(projectId: string, service: object): object {
  return {
    ...{ projectId, engine: options.engine.toUpperCase(), ...service },
    ...('username' in service ? { password } : {}),
  };
}

async function register(projectId: string, service: object): Promise<string> {
  const input = serviceInput(projectId, service);
  return idOf(
    'registerService',
    await request(`mutation ($input: ServiceInput!) { registerService(input: $input) { id } }`, { input }),
  );
}

/** Reports a wrong password or database now, and not after the third attempt of a backup. */
async function validate(projectId: string, service: object): Promise<void> {
  const input = serviceInput(projectId, service);
  const answer = await request(
    `mutation ($input: ServiceInput!) { validateService(input: $input) { steps { name status message hint } } }`,
    { input },
  );
  const { steps } = answer['validateService'] as { readonly steps: readonly CheckStep[] };
  print(`  ${steps.map((each) => `${each.name} ${each.status}`).join(', ')}`);
  const failed = steps.find(({ status }) => status === 'FAILED');
  if (failed === undefined) return;
  throw new Failure(failed.message ?? `The step ${failed.name} failed.`, failed.hint ?? 'Correct the service.');
}

async function createEndpoint(projectId: string): Promise<string> {
  const settings =
    options.swift === undefined
      ? { filesystem: { path: required('backups') } }
      : {
          swift: {
            authUrl: options.swift,
            container: 'quickstart',
            createContainer: true,
            credentials: { v1: swiftUser },
          },
        };
  const name = options.swift === undefined ? 'folder' : 'swift';
  const answer = await request(
    `mutation ($input: FileEndpointInput!) {
       createFileEndpoint(input: $input) { id location lastCheck { steps { name status message } } }
     }`,
    { input: { projectId, name, settings } },
  );
  const endpoint = answer['createFileEndpoint'] as { location: string; lastCheck: { steps: CheckStep[] } | null };
  const steps = endpoint.lastCheck?.steps ?? [];
  print(`  ${endpoint.location}: ${steps.map((each) => `${each.name} ${each.status}`).join(', ')}`);
  return idOf('createFileEndpoint', answer);
}

async function createPlan(serviceId: string, fileEndpointId: string): Promise<string> {
  const answer = await request(
    `mutation ($input: BackupPlanInput!) {
       createBackupPlan(input: $input) { id nextRunAt frequency { normalized description } }
     }`,
    {
      input: {
        serviceId,
        name: 'nightly',
        fileEndpointIds: [fileEndpointId],
        frequency: '* * 3 * * *',
        retention: { style: 'DAYS', period: 7 },
      },
    },
  );
  const plan = answer['createBackupPlan'] as {
    nextRunAt: string | null;
    frequency: { normalized: string; description: string };
  };
  print(
    `  "* * 3 * * *" means ${plan.frequency.normalized} (${plan.frequency.description}); next ${plan.nextRunAt ?? '-'}`,
  );
  return idOf('createBackupPlan', answer);
}

/** Prints each state and progress step of a job as it arrives, until the subscription completes. */
async function watch(client: Client, field: 'backupJob' | 'restoreJob', id: string, more: string): Promise<Job> {
  const query = `subscription ($id: ID!) {
    ${field}(id: $id) {
      id status phase message executionTime warnings error { code message hint toolOutput }
      progress { readBytes storedBytes segments bytesPerSecond } ${more}
    }
  }`;
  const stream = client.iterate<Record<string, Job>>({ query, variables: { id } });
  const limit = setTimeout(() => void stream.return?.(), longestJobMs);
  let last: Job | undefined;
  let printed = '';
  try {
    for await (const { data, errors } of stream) {
      if (errors !== undefined) throw failureOf(errors);
      const job = data?.[field];
      if (job === undefined) continue;
      last = job;
      const line = describe(field, job);
      if (line !== printed) print(`  ${new Date().toISOString().slice(11, 23)}  ${line}`);
      printed = line;
    }
  } finally {
    clearTimeout(limit);
  }
  if (last === undefined) throw new Failure('The subscription ended without a message.', 'Read the log of the server.');
  return last;
}

function describe(field: 'backupJob' | 'restoreJob', { status, phase, message, progress }: Job): string {
  const head = phase === null ? status : `${status} ${phase}`;
  if (progress === null) return `${head}: ${message}`;
  const { readBytes, storedBytes, segments, bytesPerSecond } = progress;
  const rate = bytesPerSecond > 0 ? `, ${bytes(bytesPerSecond)}/s` : '';
  if (field === 'restoreJob') return `${head}: fetched ${bytes(readBytes)}, restored ${bytes(storedBytes)}${rate}`;
  const count = segments === 1 ? '1 segment' : `${segments} segments`;
  return `${head}: read ${bytes(readBytes)}, stored ${bytes(storedBytes)} in ${count}${rate}`;
}

function succeeded(job: Job): Job {
  for (const warning of job.warnings) print(`  warning: ${warning}`);
  if (job.status === 'SUCCEEDED') return job;
  const { error } = job;
  if (error === null)
    throw new Failure(`The job ended as ${job.status}: ${job.message}`, 'Read the log of the server.');
  const tool = error.toolOutput === null ? '' : `\n${error.toolOutput}`;
  throw new Failure(`${error.code}: ${error.message}${tool}`, error.hint ?? 'Correct that and run this again.');
}

function compareServers(): Promise<void> {
  switch (options.engine) {
    case 'postgresql':
      return step('Comparing the two databases, with pg_dump', comparePostgresql);
    case 'mongodb':
      return step('Comparing the two databases, document by document', compareMongodb);
    default:
      return step(`Comparing the two databases, with ${dumpTool()} and CHECKSUM TABLE`, compare);
  }
}

async function compareMongodb(): Promise<void> {
  const identical = await identicalMongodb(required('source-client'), required('target-client'));
  if (identical === undefined) {
    throw new Failure('The two databases differ.', 'Report it: a restore that differs is a defect.');
  }
  print(`  identical: ${identical}`);
}

/** This check is independent of Stowage: MariaDB's own tools read both servers. */
async function compare(): Promise<void> {
  const clients = [required('source-client'), required('target-client')] as const;
  const [source, target] = await Promise.all(clients.map((file) => contentOf(file)));
  if (source === undefined || target === undefined || source.databases === '') {
    throw new Failure('There is nothing to compare.', 'Report it: the sample database should be there.');
  }
  for (const key of ['databases', 'checksums', 'dump'] as const) {
    if (source[key] === target[key]) continue;
    const [one, other] = [source[key].split('\n'), target[key].split('\n')];
    const at = one.findIndex((line, index) => line !== other[index]);
    throw new Failure(
      `The ${key} differ, first here:\n  source: ${(one[at] ?? '').slice(0, 200)}\n  target: ${(other[at] ?? '').slice(0, 200)}`,
      'Report it: a restore that differs is a defect.',
    );
  }
  const tables = source.checksums.split('\n').length;
  print(`  identical: ${tables} tables by checksum, and ${bytes(source.dump.length)} of dump byte by byte`);
}

/** This check is independent of Stowage: PostgreSQL's own pg_dump reads both servers as text. */
async function comparePostgresql(): Promise<void> {
  const [source, target] = await Promise.all([required('source-client'), required('target-client')].map(textOf));
  if (source === undefined || source === '' || source !== target) {
    throw new Failure('The dumps of the two databases differ.', 'Report it: a restore that differs is a defect.');
  }
  print(`  identical: ${bytes(source.length)} of dump line by line`);
}

/** pg_dump writes a new random key with each dump. */
async function textOf(serviceFile: string): Promise<string> {
  const { stdout } = await promisify(execFile)(
    join(required('tools'), 'pg_dump'),
    ['--create', '--dbname=service=quickstart dbname=harbour'],
    { env: { PATH: process.env['PATH'], PGSERVICEFILE: serviceFile }, maxBuffer: 256 * 1024 * 1024 },
  );
  return stdout
    .split('\n')
    .filter((line) => !/^\\(?:un)?restrict /.test(line))
    .join('\n');
}

async function contentOf(clientFile: string): Promise<{ databases: string; checksums: string; dump: string }> {
  const query = (sql: string) =>
    run(options.engine === 'mysql' ? 'mysql' : 'mariadb', [
      `--defaults-file=${clientFile}`,
      '--batch',
      '--skip-column-names',
      '--execute',
      sql,
    ]);
  const databases = await query(`SELECT schema_name FROM information_schema.schemata
    WHERE schema_name NOT IN ('mysql', 'information_schema', 'performance_schema', 'sys') ORDER BY 1`);
  const tables =
    await query(`SELECT CONCAT('\`', table_schema, '\`.\`', table_name, '\`') FROM information_schema.tables
    WHERE table_type = 'BASE TABLE' AND table_schema NOT IN ('mysql', 'information_schema', 'performance_schema', 'sys') ORDER BY 1`);
  const checksums = await query(`CHECKSUM TABLE ${tables.split('\n').join(', ')} EXTENDED`);
  const names = databases.split('\n');
  const flags = ['--skip-comments', '--routines', '--events', '--triggers', '--hex-blob', '--order-by-primary'];
  const dump = await run(dumpTool(), [`--defaults-file=${clientFile}`, ...flags, '--databases', ...names]);
  // MySQL shows the character set of a column only if a statement named it.
  return { databases, checksums, dump: dump.replaceAll(/ CHARACTER SET utf8mb4(?= COLLATE )/g, '') };
}

function dumpTool(): string {
  return options.engine === 'mysql' ? 'mysqldump' : 'mariadb-dump';
}

async function run(program: string, args: readonly string[]): Promise<string> {
  const { stdout } = await promisify(execFile)(
    options.tools === undefined ? program : join(options.tools, program),
    [...args],
    {
      maxBuffer: 256 * 1024 * 1024,
      encoding: 'latin1',
    },
  );
  return stdout.trimEnd();
}

async function step<T>(name: string, work: () => Promise<T>): Promise<T> {
  current = name;
  print(`\n── ${name}`);
  const began = performance.now();
  const result = await work();
  print(`  done in ${((performance.now() - began) / 1000).toFixed(1)} s`);
  return result;
}

async function request(query: string, variables: object): Promise<Answer> {
  const response = await fetch(`${url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
    body: JSON.stringify({ query, variables }),
    signal: AbortSignal.timeout(60_000),
  });
  const { data, errors } = (await response.json()) as { data?: Answer | null; errors?: readonly GraphQLFailure[] };
  if (errors !== undefined) throw failureOf(errors);
  if (data === undefined || data === null) {
    throw new Failure(`The server answered ${response.status} without data.`, 'Read the log of the server.');
  }
  return data;
}

function failureOf(errors: readonly GraphQLFailure[]): Failure {
  const [first] = errors;
  const { help, details } = first?.extensions ?? {};
  const fields = (details?.fields ?? []).map(
    (each) => `\n  ${each.path}: ${each.problem.replace(/\.$/, '')}. ${each.hint}`,
  );
  const failed = (details?.check?.steps ?? []).filter((each) => each.status === 'FAILED');
  const steps = failed.map((each) => `\n  ${each.name}: ${each.message ?? 'failed'} ${each.hint ?? ''}`);
  return new Failure(
    [first?.message ?? 'The server answered with an error.', ...fields, ...steps].join(''),
    help ?? 'Read the log of the server.',
  );
}

function idOf(field: string, answer: Answer): string {
  return (answer[field] as { id: string }).id;
}

function required(
  name: 'url' | 'token-file' | 'password-file' | 'backups' | 'source-client' | 'target-client' | 'tools',
): string {
  const value = options[name];
  if (value === undefined) throw new Error(`--${name} is missing: run scripts/quickstart instead.`);
  return value;
}

function bytes(count: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  const power = count < 1 ? 0 : Math.min(units.length - 1, Math.floor(Math.log10(count) / 3));
  return `${(count / 1000 ** power).toFixed(power === 0 ? 0 : 1)} ${units[power] ?? 'B'}`;
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
