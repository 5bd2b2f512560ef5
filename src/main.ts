#!/usr/bin/env node
/** The command line: reads the environment, starts a role and exits with its exit code. No other file exits. */
import 'reflect-metadata';
import { Command, CommanderError } from 'commander';
import { commandHelp } from './commandHelp.js';
import { readConfig, type ConfigOf } from './config.js';
import { ConfigError } from './configError.js';
import { StowageError } from './errors.js';
import { openLog, type Log } from './log.js';
import { programVersion } from './programVersion.js';
import type { ProgramRole } from './settings.js';
import { keepOldGenerationSmall, keepYoungGenerationSmall } from './smallHeap.js';
import { untilStopped, type Running } from './untilStopped.js';

/** The exit code EX_USAGE of sysexits.h. */
const usageError = 64;

type Start<R extends ProgramRole> = (config: ConfigOf[R], log: Log) => Promise<Running>;

const program = new Command('stowage')
  .description('Backs up databases into object storage by schedule, and restores them. Its API is GraphQL.')
  .version(programVersion(), '-V, --version', 'print the version')
  .helpOption('-h, --help', 'print this help')
  .showHelpAfterError('(stowage --help lists the commands)')
  .helpCommand(false)
  .exitOverride()
  .addHelpText(
    'after',
    '\nstowage <command> --help lists the settings that a command reads. Documentation: docs/settings.md',
  );

command('up', 'run everything on this machine: API, worker, and an embedded PostgreSQL in a data folder', () =>
  run('up', async () => {
    keepOldGenerationSmall();
    return (await import('./composition/up.js')).startUp;
  }),
);
command('serve', 'run the API: GraphQL over HTTP and WebSocket, playground', () =>
  run('serve', async () => {
    keepOldGenerationSmall();
    return (await import('./composition/serve.js')).startServe;
  }),
);
command('worker', 'run a worker, which dumps and restores; start as many as are needed', () =>
  run('worker', async () => {
    keepYoungGenerationSmall();
    return (await import('./composition/worker.js')).startWorker;
  }),
);
command(
  'migrate',
  'migrate the schema of the database and exit; serve and worker also do this at their start',
  migrate,
);

command(
  'adopt-prefixes',
  'declare this database as the installation that owns the backups, after it was restored to another server or a copy of it ran',
  adoptPrefixes,
);

command(
  'private-targets',
  'list the services and file endpoints in private networks, which stay allowed until you decide',
  privateTargets,
).option('--refuse', 'refuse them from the next start of every process');

command('sign-in', 'print a one-time link that signs a browser in as the administrator', signIn).option(
  '--url <url>',
  'the address of the running API (default: http://HOST:PORT)',
);

// The reader of the output may end, and the disk of a log file may be full. Then the work continues without a log.
// Without this handler the program would log the error, which causes the same error again and again, and would handle
// no signals.
for (const output of [process.stdout, process.stderr]) output.on('error', () => undefined);

try {
  await program.parseAsync();
} catch (error) {
  if (error instanceof ConfigError) {
    process.stderr.write(`stowage: ${error.problems.join('\nstowage: ')}\n`);
    process.exit(error.exitCode);
  }
  if (error instanceof CommanderError) process.exit(error.exitCode === 0 ? 0 : usageError);
  throw error;
}

function command(
  role: ProgramRole,
  summary: string,
  action: (options: Readonly<Record<string, unknown>>) => Promise<void>,
): Command {
  return program
    .command(role)
    .summary(summary)
    .description(`${summary.charAt(0).toUpperCase()}${summary.slice(1)}.`)
    .allowExcessArguments(false)
    .addHelpText('after', () => commandHelp(role))
    .action(action);
}

async function run<R extends 'up' | 'serve' | 'worker'>(role: R, composition: () => Promise<Start<R>>): Promise<void> {
  const config = readConfig(role, process.env);
  const log = openLog(role === 'up' ? 'readable' : 'json', config.logLevel);
  const start = async (): Promise<Running> => (await composition())(config, log);
  process.exit(await untilStopped(start, process, log, config.stopGraceMs));
}

async function adoptPrefixes(): Promise<void> {
  const config = readConfig('adopt-prefixes', process.env);
  const log = openLog('readable', config.logLevel);
  try {
    await (await import('./composition/adoptPrefixes.js')).adoptPrefixes(config, log);
  } catch (error) {
    log.fatal({ err: error }, 'The prefixes could not be adopted.');
    process.exit(1);
  }
}

async function privateTargets(options: Readonly<Record<string, unknown>>): Promise<void> {
  const config = readConfig('private-targets', process.env);
  const log = openLog('readable', config.logLevel);
  try {
    await (
      await import('./composition/privateTargets.js')
    ).privateTargets(config, log, {
      refuse: options['refuse'] === true,
      print: (line) => process.stdout.write(`${line}\n`),
    });
  } catch (error) {
    log.fatal({ err: error }, 'The private targets could not be listed or refused.');
    process.exit(1);
  }
}

async function signIn({ url }: Readonly<Record<string, unknown>>): Promise<void> {
  const config = readConfig('sign-in', process.env);
  try {
    const print = (line: string) => process.stdout.write(`${line}\n`);
    const printLink = (await import('./composition/signIn.js')).signIn;
    await printLink(config, { print, ...(typeof url === 'string' ? { url } : {}) });
  } catch (error) {
    const help = error instanceof StowageError ? ` ${error.help}` : '';
    process.stderr.write(`stowage: ${error instanceof Error ? error.message : String(error)}${help}\n`);
    process.exit(1);
  }
}

async function migrate(): Promise<void> {
  const config = readConfig('migrate', process.env);
  const log = openLog('json', config.logLevel);
  try {
    await (await import('./composition/migrate.js')).migrate(config, log);
  } catch (error) {
    log.fatal({ err: error }, 'The schema could not be migrated.');
    process.exit(1);
  }
}
