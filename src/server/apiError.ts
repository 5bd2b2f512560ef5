import type { GraphQLFormattedError } from 'graphql';
import { GraphQLError } from 'graphql';
import { badInput, catalogue, StowageError } from '../errors.js';
import { loggedError } from '../loggedError.js';
import { operationLimits } from './operationLimits.js';

/** The log for defects, for example a logger of pino. */
export type ErrorLog = { error(fields: object, message: string): void };

export type ErrorAnswer = GraphQLFormattedError & {
  readonly extensions: { readonly code: string; readonly details: object; readonly help: string };
};

/**
 * An error as a client gets it: code, details and help of the catalogue. An error that is not a StowageError becomes
 * INTERNAL. It is logged with the correlation id, and the client gets only this id. Neither the answer nor the log repeats
 * the value of a variable.
 */
export function apiError(error: unknown, correlationId: string, log: ErrorLog): ErrorAnswer {
  const known = stowageErrorOf(error) ?? refusalOfGraphQL(error);
  const shown = known === undefined || known.code === 'INTERNAL' ? internalError(error, correlationId, log) : known;
  const { code, message, details, help } = shown;
  return { message, ...placeOf(error), extensions: { code, details, help } };
}

function internalError(error: unknown, correlationId: string, log: ErrorLog): StowageError {
  const { path } = placeOf(error);
  log.error(
    { correlationId, path: path?.join('.'), error: loggedError(rootOf(error)) },
    'A request failed because of a defect.',
  );
  return new StowageError('INTERNAL', `The server failed to answer this (correlation id ${correlationId}).`, {
    details: { correlationId },
    help: catalogue.INTERNAL.help,
  });
}

function stowageErrorOf(error: unknown): StowageError | undefined {
  const root = rootOf(error);
  return root instanceof StowageError ? root : undefined;
}

/** The innermost error. graphql-js wraps an error of a resolver, sometimes twice. */
function rootOf(error: unknown): unknown {
  let root = error;
  while (root instanceof GraphQLError && root.originalError !== undefined) root = root.originalError;
  return root;
}

/** Errors that graphql-js and Apollo Server raise themselves. Their messages may repeat what the client sent. */
function refusalOfGraphQL(error: unknown): StowageError | undefined {
  const root = rootOf(error);
  if (!(root instanceof GraphQLError) || isOfAnswer(error, root)) return undefined;
  if (/^Syntax Error: Document contains more tha[nt] \d+ tokens/.test(root.message)) {
    const message = `The document has more than ${operationLimits.tokens} tokens.`;
    return new StowageError('TOO_COMPLEX', message, { details: { limit: 'tokens', most: operationLimits.tokens } });
  }
  if (root.message.startsWith('Syntax Error')) {
    const [place] = root.locations ?? [];
    const where = place === undefined ? '' : ` at line ${place.line}, column ${place.column}`;
    return badInput([
      { path: 'query', problem: `is not a GraphQL document${where}`, hint: 'Check brackets and quotes at that place.' },
    ]);
  }
  switch (root.extensions['code']) {
    case 'BAD_REQUEST':
      return badInput([
        { path: 'request', problem: root.message, hint: 'Send a POST with JSON: query, variables, operationName.' },
      ]);
    case 'PERSISTED_QUERY_NOT_SUPPORTED':
    case 'PERSISTED_QUERY_NOT_FOUND':
      return badInput([
        { path: 'extensions.persistedQuery', problem: 'is not supported', hint: 'Send the whole query.' },
      ]);
    default:
      return badInput([
        { path: 'variables', problem: 'do not fit the operation', hint: 'Compare them with the schema.' },
      ]);
  }
}

/**
 * True if a resolver returned a value that does not have the type of its field, for example an unknown member of an
 * enum. Such an error has a path and no node of the document. An error about an argument has the node of the argument.
 */
function isOfAnswer(error: unknown, root: GraphQLError): boolean {
  return error instanceof GraphQLError && error.path !== undefined && root.nodes === undefined;
}

function placeOf(error: unknown): Pick<GraphQLFormattedError, 'path' | 'locations'> {
  if (!(error instanceof GraphQLError)) return {};
  return {
    ...(error.path === undefined ? {} : { path: error.path }),
    ...(error.locations === undefined ? {} : { locations: error.locations }),
  };
}
