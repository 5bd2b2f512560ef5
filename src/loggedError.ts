import { GraphQLError } from 'graphql';
import { StowageError } from './errors.js';
import { leftOut, withoutQuoted } from './withoutValues.js';

/**
 * Properties of an error that contain no customer data. All other properties that a library adds are omitted from the
 * log.
 */
const facts = [
  ...['code', 'errno', 'sqlState', 'constraint', 'schema', 'table', 'column', 'severity', 'routine'],
  ...['syscall', 'path', 'address', 'port', 'hostname', 'status', 'statusCode', 'signal', 'killed'],
] as const;

/**
 * An error as the log shows it, without customer data. Drivers add the statement, its parameters and rows to their errors
 * (`sql`, `parameters`, `detail`), and databases and parsers quote values in their messages.
 */
export function loggedError(error: unknown, depth = 0): unknown {
  if (!isErrorLike(error)) return typeof error === 'string' ? error : `thrown: ${typeof error}`;
  const message = messageOf(error);
  const type = error.name === '' || error.name === 'Error' ? error.constructor.name : error.name;
  const frames = (error.stack ?? '').split('\n').filter((line) => /^\s+at /.test(line));
  const found = facts.flatMap((name) => {
    const value: unknown = Reflect.get(error, name);
    return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean' ? [[name, value]] : [];
  });
  const cause = depth < 5 && error.cause !== undefined ? { cause: loggedError(error.cause, depth + 1) } : {};
  const causes =
    'errors' in error && Array.isArray(error.errors) && depth < 5
      ? { errors: error.errors.slice(0, 10).map((each) => loggedError(each, depth + 1)) }
      : {};
  const known =
    error instanceof StowageError ? { help: error.help, toolOutput: error.toolOutput, details: error.details } : {};
  const stack = [`${type}: ${message}`, ...frames].join('\n');
  return { type, message, ...(Object.fromEntries(found) as object), ...known, ...cause, ...causes, stack };
}

/**
 * Messages of databases, parsers and libraries quote their input, so values are removed. Some messages are kept: our
 * own messages quote nothing, messages of the system name files, and messages of the JavaScript engine name properties.
 * graphql-js escapes nested quotation marks.
 */
function messageOf(error: Error): string {
  const { message } = error;
  const named = error instanceof StowageError || error.name === 'ServerFailure' || error instanceof TypeError;
  if (named || ('syscall' in error && !('severity' in error))) return message.slice(0, 2_000);
  if (error instanceof GraphQLError) return message.replace(/"(?:[^"\\]|\\.)*"/g, `"${leftOut}"`).slice(0, 2_000);
  return withoutQuoted(message).slice(0, 2_000);
}

/** Checks the shape and not the class, so that an error of another realm counts too. */
function isErrorLike(error: unknown): error is Error {
  return (
    typeof error === 'object' &&
    error !== null &&
    'message' in error &&
    'name' in error &&
    typeof error.message === 'string'
  );
}
