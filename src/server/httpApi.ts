import { ApolloServer } from '@apollo/server';
import {
  ApolloServerPluginCacheControlDisabled,
  ApolloServerPluginInlineTraceDisabled,
  ApolloServerPluginLandingPageDisabled,
  ApolloServerPluginSchemaReportingDisabled,
  ApolloServerPluginUsageReportingDisabled,
} from '@apollo/server/plugin/disabled';
import { expressMiddleware } from '@as-integrations/express5';
import { randomUUID } from 'node:crypto';
import express, { type ErrorRequestHandler, type RequestHandler } from 'express';
import type { GraphQLSchema } from 'graphql';
import { badInput } from '../errors.js';
import { apiError, type ErrorLog } from './apiError.js';
import { checkDocumentText } from './checkDocumentText.js';
import { answerErrors } from './http/answerErrors.js';
import { Answers } from './http/answers.js';
import { checkedOperations } from './http/checkedOperations.js';
import { contextOf } from './http/httpContext.js';
import { signedInOnly, type SignedInOnlyOptions } from './http/signedInOnly.js';
import { hasTooManyLevels, jsonLevels } from './jsonLevels.js';
import { KnownDocuments } from './knownDocuments.js';
import { operationLimits } from './operationLimits.js';
import { withoutLimit, type Patiently } from './patiently.js';
import type { RequestContext } from './requestContext.js';

export type HttpApiOptions = SignedInOnlyOptions & {
  readonly schema: GraphQLSchema;
  readonly log: ErrorLog & { warn(fields: object, message: string): void };
};

export type HttpApi = { readonly handlers: readonly (RequestHandler | ErrorRequestHandler)[]; stop(): Promise<void> };

/** GraphQL over `POST`. Sign-in comes before the body is read, and a document is checked before it is executed. */
export async function httpApi(options: HttpApiOptions): Promise<HttpApi> {
  const { log, patiently = withoutLimit } = options;
  /**
   * The correlation id of each error. It is stored when the error occurs, because Apollo formats errors without their
   * request.
   */
  const correlationIds = new WeakMap<object, string>();
  const known = new KnownDocuments();
  const answers = new Answers(options);
  const apollo = new ApolloServer<RequestContext>({
    schema: options.schema,
    introspection: true, // Introspection needs a token like every other operation.
    dangerouslyDisableValidation: true, // checkOperation validates instead, because its messages repeat no value.
    documentStore: known,
    persistedQueries: false,
    allowBatchedHttpRequests: false,
    csrfPrevention: true,
    includeStacktraceInErrorResponses: false,
    stopOnTerminationSignals: false,
    nodeEnv: 'production',
    parseOptions: { maxLexicalTokens: operationLimits.tokens },
    logger: quietLogger(log),
    stringifyResult: (result) => answers.stringify(result),
    formatError: (_formatted, error) => apiError(error, correlationIds.get(error as object) ?? randomUUID(), log),
    plugins: [
      ApolloServerPluginCacheControlDisabled(),
      ApolloServerPluginInlineTraceDisabled(),
      ApolloServerPluginLandingPageDisabled(),
      ApolloServerPluginSchemaReportingDisabled(),
      ApolloServerPluginUsageReportingDisabled(),
      checkedOperations({ ...options, correlationIds, known, answers }),
    ],
  });
  await apollo.start();
  const execute = expressMiddleware(apollo, { context: ({ res }) => Promise.resolve(contextOf(res)) });
  return {
    handlers: [
      signedInOnly(options),
      express.json({ limit: options.maxBodyBytes, verify: checkJson }),
      inTurn,
      patient(execute, patiently),
      answerErrors(log),
    ],
    stop: () => apollo.stop(),
  };
}

/** Middleware whose work waits for the database within the limit of one request. */
function patient(handle: RequestHandler, patiently: Patiently): RequestHandler {
  return (request, response, next) => patiently(() => handle(request, response, next), contextOf(response).viewerKey);
}

/** Checks a body before it is parsed. Other encodings than UTF-8 are no JSON (RFC 8259, section 8.1). */
function checkJson(_request: unknown, _response: unknown, body: Buffer, encoding: string): void {
  const hint = 'Send a JSON object in UTF-8 with query, variables and operationName.';
  if (encoding !== 'utf-8') throw badInput([{ path: 'request', problem: 'is not JSON in UTF-8', hint }]);
  if (!hasTooManyLevels(body)) return;
  throw badInput([{ path: 'request', problem: `has more than ${jsonLevels} levels of arrays and objects`, hint }]);
}

/** Parsing and checking a document takes time too, so it waits for its turn. */
const inTurn: RequestHandler = async (request, response, next) => {
  const { budget } = contextOf(response);
  const { query } = (request.body ?? {}) as { query?: unknown };
  // The variables are not in the length of the query, and a compressed query is not in that of the body.
  const queryLength = typeof query === 'string' ? query.length : 0;
  budget.payForRequest(Math.max(Number(request.headers['content-length'] ?? 0), queryLength));
  await budget.pause();
  if (typeof query === 'string') checkDocumentText(query);
  next();
};

/** Logs only warnings and errors of Apollo Server: its other messages are about its configuration. */
function quietLogger(log: HttpApiOptions['log']) {
  const ignore = () => undefined;
  const warn = (message: unknown) => log.warn({}, `Apollo Server: ${String(message)}`);
  return { debug: ignore, info: ignore, warn, error: warn };
}
