/**
 * The catalogue of errors. Every failure that a person or a client can see has its code here and nowhere else. `help`
 * is the default advice. The code that throws may give a better one. `retriable` means that the same attempt may
 * succeed later without any change. Only such failures of jobs are retried.
 */
export const catalogue = {
  // Errors of the API.
  UNAUTHENTICATED: entry('The request carries no valid token.', 'Send "Authorization: Bearer <token>".'),
  FORBIDDEN: entry('The role of the caller does not allow this.', 'Ask an ADMIN of the project for the role it needs.'),
  NOT_FOUND: entry('No object has this id, or the caller may not see it.', 'Check the id.'),
  BAD_INPUT: entry('Some input is not valid.', 'details.fields lists every problem with a hint.'),
  CONFLICT: entry(
    'The object has changed since it was read, or its name is already used.',
    'Read the object again and repeat the change.',
  ),
  IDEMPOTENCY_MISMATCH: entry(
    'This commandId was used before with another input.',
    'Use a new commandId for a new command.',
  ),
  CHECK_FAILED: entry('The check before saving did not pass.', 'details.check shows the step that failed.'),
  ENDPOINT_IN_USE: entry(
    'A plan uses the file endpoint, or it holds listed backups.',
    'Remove the plans, or delete the backups, first.',
  ),
  SERVICE_IN_USE: entry(
    'A plan or a listed backup belongs to the service.',
    'Remove the plans, and delete the backups, first.',
  ),
  TARGET_EXISTS: entry(
    'The target already has a database of that name.',
    'Restore into another service, or drop that database first if nobody needs it.',
  ),
  SECRET_REQUIRED: entry(
    'The change would send a stored secret to another address.',
    'Include the secret in the change.',
  ),
  TOO_COMPLEX: entry('The operation asks for too much at once.', 'Ask for fewer levels, or smaller pages.'),
  NOT_YET_AVAILABLE: entry('This is part of the API but not built yet.', 'CHANGELOG.md lists what is built.'),
  UNAVAILABLE: entry('A server that Stowage needs does not answer now.', 'Try again in a moment.', true),
  SLOW_CONSUMER: entry(
    'The subscriber reads more slowly than events arrive.',
    'Subscribe again with the position of the last event that you handled.',
    true,
  ),

  // Reasons why a job failed.
  SERVICE_UNREACHABLE: entry('The database server does not answer.', 'Check host, port and firewall.', true),
  SERVICE_AUTH: entry('The database server refused the login.', 'Check the user name and the password of the service.'),
  SERVICE_PRIVILEGE: entry('The database user lacks a privilege.', 'Grant the privileges that the message names.'),
  SERVICE_SETTING: entry(
    'A setting of the database server would cut, change or end the job.',
    'Change the setting that the message names.',
  ),
  SERVICE_BUSY: entry(
    'Another session uses the database in a way that conflicts with the job.',
    'Stowage tries the job again while attempts are left. If it happens again, choose another time of day.',
    true,
  ),
  TOOL_MISSING: entry('A program that the worker needs is not installed.', 'Install it on the worker.'),
  TOOL_VERSION: entry(
    'The dump tool does not support the version of the server.',
    'Install the version that the message names on the worker.',
  ),
  TOOL_FAILED: entry(
    'The dump or restore tool ended with an error.',
    'Read the message, and the log of the database server at that time.',
  ),
  TARGET_UNFIT: entry(
    'The target does not support all objects of the backup.',
    'Change the target as the message describes, or restore into another service.',
  ),
  EMPTY_DUMP: entry('The dump contains nothing.', 'Check that the databases exist and that the user may see them.'),
  INCOMPLETE_DUMP: entry(
    'The dump ended before it was complete.',
    'Start the backup again. If it happens again, check the dump tool on the worker.',
  ),
  DRIFT_EXCEEDED: entry(
    'The database has fewer rows since the previous backup than the plan allows.',
    'Check the database. If the rows are gone on purpose, start a backup of the plan by hand, or change its driftThreshold.',
  ),
  ENDPOINT_UNREACHABLE: entry(
    'The object storage does not answer.',
    'Check the address, and that the storage is running.',
    true,
  ),
  ENDPOINT_AUTH: entry('The object storage refused the credentials.', 'Check the Service User of the file endpoint.'),
  ENDPOINT_NOT_FOUND: entry('The container or folder does not exist.', 'Create it, or correct the file endpoint.'),
  ENDPOINT_FORBIDDEN: entry(
    'The credentials may not write to the container.',
    'Grant write access to the Service User.',
  ),
  ENDPOINT_QUOTA: entry(
    'The quota of the container or account is used up.',
    'Raise the quota of the container or account, or keep fewer backups there.',
  ),
  CHECKSUM: entry(
    'The stored bytes differ from the bytes that were sent.',
    'Stowage tries the job again. If it happens again, check the storage and the network between the worker and the storage.',
    true,
  ),
  STALLED: entry(
    'The job made no progress for longer than the stall timeout.',
    'Check which sessions wait on the database server, and whether the storage answers. If they are only slow, raise the stall timeout.',
    true,
  ),
  TIMEOUT: entry(
    'The job took longer than the plan allows.',
    'Raise the timeout, or find the phase that became slower: the attempts show their phases.',
  ),
  WORKER_LOST: entry(
    'The worker that ran the job was lost.',
    'You need not do anything. The job is retried if that is safe.',
    true,
  ),
  WORKERS_LOST: entry(
    'Two workers were lost while they ran the job.',
    'Read the logs of both workers. If the job did not cause their end, or if PostgreSQL did not answer, start the job again.',
  ),
  INTERNAL: entry('A defect of Stowage.', 'Report it together with the correlation id.'),
} as const;

export type ErrorCode = keyof typeof catalogue;

function entry(summary: string, help: string, retriable = false) {
  return { summary, help, retriable };
}

export type StowageErrorOptions = {
  /** Data for programs. It is part of the answer of the API, so it never contains a secret. */
  readonly details?: Readonly<Record<string, unknown>>;
  readonly help?: string;
  /** The last lines that a tool printed, without secrets. */
  readonly toolOutput?: string;
  /** Overrides the catalogue, for example for a 404 of a storage during an outage. */
  readonly retriable?: boolean;
  readonly cause?: unknown;
};

/**
 * An error with a code of the catalogue. Its message is for a person: it names the object and the obstacle, and `help`
 * names what to do.
 */
export class StowageError extends Error {
  readonly details: Readonly<Record<string, unknown>>;
  readonly help: string;
  readonly retriable: boolean;
  readonly toolOutput: string | undefined;

  constructor(
    readonly code: ErrorCode,
    message: string,
    options: StowageErrorOptions = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'StowageError';
    this.details = options.details ?? {};
    this.help = options.help ?? catalogue[code].help;
    this.retriable = options.retriable ?? catalogue[code].retriable;
    this.toolOutput = options.toolOutput;
  }
}

export type FieldProblem = {
  /** The path in the arguments of the operation, for example `input.settings.filesystem.path`. */
  readonly path: string;
  readonly problem: string;
  readonly hint: string;
};

/** An error with all problems of an input. It never repeats the values. */
export function badInput(fields: readonly FieldProblem[]): StowageError {
  const [first] = fields;
  const more = fields.length > 1 ? ` (and ${fields.length - 1} more)` : '';
  const message = first === undefined ? 'The input is not valid.' : `${first.path}: ${first.problem}${more}`;
  return new StowageError('BAD_INPUT', message, {
    details: { fields },
    ...(first === undefined ? {} : { help: first.hint }),
  });
}

export function notFound(what: string): StowageError {
  return new StowageError('NOT_FOUND', `There is no such ${what}.`);
}

export function notYetAvailable(sentence: string): StowageError {
  return new StowageError('NOT_YET_AVAILABLE', sentence);
}
