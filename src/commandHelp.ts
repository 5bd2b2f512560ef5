import { defaultOf, settingNames, settings, type ProgramRole } from './settings.js';

const exitCodes: Readonly<Record<ProgramRole, readonly string[]>> = {
  up: running(),
  serve: running(),
  worker: running(),
  'adopt-prefixes': ['0   done', '1   it failed; the log has the reason', ...mistakes()],
  'private-targets': ['0   done', '1   it failed; the log has the reason', ...mistakes()],
  'sign-in': ['0   the link is on standard output', '1   it failed; standard error has the reason', ...mistakes()],
  migrate: ['0   the schema is up to date', '1   the migration failed; the log has the reason', ...mistakes()],
};

const examples: Readonly<Record<ProgramRole, readonly string[]>> = {
  up: ['stowage up', 'PORT=8080 STOWAGE_DATA=/srv/stowage stowage up'],
  serve: [
    'DATABASE_URL=postgres://stowage:…@db/stowage SCHEDULE_STORE_URL=mongodb://schedule/stowage \\\n' +
      '    STOWAGE_MASTER_KEY_FILE=/run/secrets/master STOWAGE_ADMIN_TOKEN=… HOST=0.0.0.0 stowage serve',
  ],
  worker: [
    'DATABASE_URL=postgres://stowage:…@db/stowage SCHEDULE_STORE_URL=mongodb://schedule/stowage \\\n' +
      '    STOWAGE_MASTER_KEY_FILE=/run/secrets/master STOWAGE_WORKER_CONCURRENCY=4 stowage worker',
  ],
  'adopt-prefixes': ['DATABASE_URL=postgres://stowage:…@db/stowage stowage adopt-prefixes'],
  'private-targets': [
    'DATABASE_URL=postgres://stowage:…@db/stowage stowage private-targets',
    'DATABASE_URL=… MIGRATION_DATABASE_URL=postgres://owner:…@db/stowage stowage private-targets --refuse',
  ],
  'sign-in': ['stowage sign-in', 'STOWAGE_ADMIN_TOKEN=… stowage sign-in --url https://backup.example.org'],
  migrate: ['DATABASE_URL=… MIGRATION_DATABASE_URL=postgres://owner:…@db/stowage stowage migrate'],
};

/** The text below the options in the --help of a command: the settings that it reads, examples and exit codes. */
export function commandHelp(role: ProgramRole): string {
  return [
    '',
    'Settings (environment variables):',
    ...settingNames(role).map((name) => {
      const byDefault = defaultOf(name, role);
      const { meaning, holds } = settings[name];
      return [
        `  ${name}  [${byDefault === undefined ? 'required' : `default: ${byDefault}`}]`,
        ...wrapped(`${meaning} Holds ${holds}.`, 6),
      ].join('\n');
    }),
    '',
    'Examples:',
    ...examples[role].map((line) => `  ${line}`),
    '',
    'Exit codes:',
    ...exitCodes[role].map((line) => `  ${line}`),
  ].join('\n');
}

function running(): string[] {
  return ['0   stopped cleanly after SIGTERM or SIGINT', '1   it failed; the log has the reason', ...mistakes()];
}

function mistakes(): string[] {
  return ['64  the command line is wrong', '78  a setting is wrong or missing'];
}

function wrapped(text: string, indent: number, width = 96): string[] {
  const lines: string[] = [];
  for (const word of text.split(' ')) {
    const line = lines.at(-1);
    if (line === undefined || line.length + word.length >= width) lines.push(' '.repeat(indent) + word);
    else lines[lines.length - 1] = `${line} ${word}`;
  }
  return lines;
}
