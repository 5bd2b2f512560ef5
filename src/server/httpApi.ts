import { ApolloServer, HeaderMap, type ApolloServerPlugin } from '@apollo/server';
import {
  ApolloServerPluginCacheControlDisabled,
  ApolloServerPluginInlineTraceDisabled,
  ApolloServerPluginLandingPageDisabled,
  ApolloServerPluginSchemaReportingDisabled,
  ApolloServerPluginUsageReportingDisabled,
} from '@apollo/server/plugin/disabled';
import { expressMiddleware } from '@as-integrations/express5';
import { randomUUID } from 'node:crypto';
import express, { type ErrorRequestHandler, type Request, type RequestHandler, type Response } from 'express';
import {
  OperationTypeNode,
  type ExecutionArgs,
  type ExecutionResult,
  type GraphQLSchema,
  type OperationDefinitionNode,
} from 'graphql';
import { badInput, StowageError } from '../errors.js';
import { apiError, type ErrorLog } from './apiError.js';
import { bearerCredential, type Authenticate } from './authenticate.js';
import type { AnswerBudget } from './budget/answerBudget.js';
import type { BrowserSignIn } from './browserSignIn.js';
import { executeWithinBudget } from './budget/executeWithinBudget.js';
import { jsonInSlices } from './budget/jsonInSlices.js';
import { checkDocumentText } from './checkDocumentText.js';
import { checkOperation } from './checkOperation.js';
import type { Shares } from './fairness/shares.js';
import { rateHeaders, type Rate, type RequestRates } from './fairness/requestRates.js';
import { retryAfter, TooManyRequests } from './fairness/tooManyRequests.js';
import { Usage } from './fairness/usage.js';
import { KnownDocuments } from './knownDocuments.js';
import { Loaders } from './loaders.js';
import type { ServerMetrics } from './metrics.js';
import { operationLimits } from './operationLimits.js';
import { withoutLimit, type Patiently } from './patiently.js';
import type { RequestContext } from './requestContext.js';
import { signIn, type SignedIn } from './signIn.js';
import type { SignInFailures } from './signInFailures.js';

export type HttpApiOptions = {
  readonly schema: GraphQLSchema;
  readonly authenticate: Authenticate;
  /** Signs in a browser that sends no token. */
  readonly browsers?: Pick<BrowserSignIn, 'credential'>;
  readonly log: ErrorLog & { warn(fields: object, message: string): void };
  readonly metrics: ServerMetrics;
  readonly maxBodyBytes: number;
  readonly signInFailures: SignInFailures;
  readonly shares: Shares;
  readonly rates: RequestRates;
  readonly patiently?: Patiently;
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
      checkedOperations(options, { correlationIds, known, answers }),
    ],
  });
  await apollo.start();
  const execute = expressMiddleware(apollo, { context: ({ res }) => Promise.resolve(contextOf(res)) });
  return {
    handlers: [
      signedInOnly(options),
      express.json({ limit: options.maxBodyBytes }),
      inTurn,
      patient(execute, patiently),
      answerErrors(log),
    ],
    stop: () => apollo.stop(),
  };
}

/** Middleware whose work waits for the database within the limit of one request. */
function patient(handle: RequestHandler, patiently: Patiently): RequestHandler {
  return (request, response, next) => patiently(() => handle(request, response, next));
}

function checkedOperations(
  { schema, log, metrics }: HttpApiOptions,
  {
    correlationIds,
    known,
    answers,
  }: { correlationIds: WeakMap<object, string>; known: KnownDocuments; answers: Answers },
): ApolloServerPlugin<RequestContext> {
  return {
    requestDidStart: () =>
      Promise.resolve({
        didEncounterErrors({ errors, contextValue }) {
          for (const error of errors) correlationIds.set(error, contextValue.correlationId);
          return Promise.resolve();
        },
        responseForOperation({ document, operation, request, contextValue }) {
          // Apollo Server's type is wrong here: the document may have no operation of that name.
          const kind = (operation as OperationDefinitionNode | undefined)?.operation ?? 'none';
          const { operationName, variables } = request;
          const errors =
            kind === OperationTypeNode.SUBSCRIPTION
              ? [overWebSocketOnly()]
              : checkOperation(schema, { document, operationName, variables }, known);
          metrics.operations.inc({ kind, transport: 'http', outcome: errors.length > 0 ? 'refused' : 'executed' });
          if (errors.length === 0) {
            return answers.execute({ schema, document, operationName, variableValues: variables, contextValue });
          }
          return Promise.resolve({
            http: { status: 400, headers: new HeaderMap() },
            body: {
              kind: 'single' as const,
              singleResult: { errors: errors.map((error) => apiError(error, contextValue.correlationId, log)) },
            },
          });
        },
      }),
  };
}

/** Executes operations instead of Apollo Server, and writes their results as JSON, both within the budget of the answer. */
class Answers {
  readonly #log: ErrorLog;
  readonly #shares: Shares;
  readonly #contexts = new WeakMap<object, HttpContext>();

  constructor({ log, shares }: HttpApiOptions) {
    this.#log = log;
    this.#shares = shares;
  }

  async execute(args: ExecutionArgs & { readonly contextValue: RequestContext }) {
    const { contextValue } = args;
    const answered = (error: unknown) => apiError(error, contextValue.correlationId, this.#log);
    const head = (status?: number) => ({ ...(status === undefined ? {} : { status }), headers: new HeaderMap() });
    let result: ExecutionResult;
    try {
      result = await executeWithinBudget(args);
    } catch (error) {
      const singleResult = { errors: [answered(error)] };
      return { http: head(500), body: { kind: 'single' as const, singleResult } };
    }
    const { data, errors } = result;
    if (errors?.some(({ originalError }) => originalError instanceof TooManyRequests) === true) {
      const headers = new HeaderMap([['retry-after', retryAfter]]);
      return {
        http: { status: 429, headers },
        body: { kind: 'single' as const, singleResult: { errors: errors.map(answered) } },
      };
    }
    if (data !== undefined && data !== null) this.#contexts.set(data, contextValue as HttpContext);
    const singleResult = {
      ...(errors === undefined ? {} : { errors: errors.map(answered) }),
      ...(data === undefined ? {} : { data }),
    };
    return { http: head(data === undefined ? 400 : undefined), body: { kind: 'single' as const, singleResult } };
  }

  async stringify(result: { readonly data?: object | null }): Promise<string> {
    const context = result.data ? this.#contexts.get(result.data) : undefined;
    if (context === undefined) return `${JSON.stringify(result)}\n`;
    const { budget, onAnswer } = context;
    const text = `${budget.isLong ? await jsonInSlices(result, () => budget.pauseToWrite()) : JSON.stringify(result)}\n`;
    onAnswer(this.#shares.queued.add(context.viewerKey, text.length));
    budget.release();
    return text;
  }
}

/** The data of a request over HTTP, in addition to its context. */
type HttpContext = RequestContext & {
  readonly viewerKey: string;
  /** Receives the function to call when the client has read the answer or has disconnected. */
  readonly onAnswer: (read: () => void) => void;
};

function overWebSocketOnly(): StowageError {
  const hint = 'Use the same URL with ws:// or wss:// and the protocol graphql-transport-ws.';
  return badInput([{ path: 'query', problem: 'is a subscription, which needs a WebSocket', hint }]);
}

function signedInOnly(options: HttpApiOptions): RequestHandler {
  const { authenticate, browsers, metrics, rates, shares, signInFailures, patiently = withoutLimit } = options;
  return async (request, response, next) => {
    const ofAddress = rates.ofAddress(request.socket.remoteAddress);
    refuseExceeded(response, [ofAddress], metrics);
    const credential = bearerCredential(request.headers.authorization) ?? browsers?.credential(request);
    const signedIn = credential && (await patiently(() => signIn(authenticate, credential)));
    if (signedIn === undefined) {
      metrics.failedSignIns.inc({ transport: 'http' });
      if (!(await signInFailures.failed(request.socket.remoteAddress))) {
        response.status(429).set({ 'Retry-After': '5', Connection: 'close' });
      }
      const what =
        credential === undefined
          ? 'carries neither a bearer token nor the cookie of a session'
          : `carries ${credential.kind === 'BEARER' ? 'a token that is not valid' : 'the cookie of a session that has ended'}`;
      response.set('WWW-Authenticate', 'Bearer');
      throw new StowageError('UNAUTHENTICATED', `The request ${what}.`);
    }
    // The holder of the installation-level token works for all projects, and has no limit of its own.
    const { isInstallation } = signedIn.viewer;
    refuseExceeded(response, isInstallation ? [ofAddress] : [rates.ofViewer(signedIn.key), ofAddress], metrics);
    const leave = shares.enterRequest(signedIn.key, mostBytesOf(request, options));
    if (leave === undefined) {
      // The body is not read, so the connection cannot be used again.
      response.set('Connection', 'close');
      throw new TooManyRequests();
    }
    response.once('close', leave);
    const budget = shares.budgetOf(signedIn.key, usageOf(request));
    (response.locals as { context?: HttpContext }).context = httpContext(signedIn, budget, request, response);
    next();
  };
}

/** Sets the headers of the limits, and throws if one of them is exceeded. */
function refuseExceeded(response: Response, rates: readonly Rate[], { refusedRequests }: ServerMetrics): void {
  response.set(rateHeaders(rates));
  const exceeded = rates.find(({ isExceeded }) => isExceeded);
  if (exceeded === undefined) return;
  const { policy, limit, resetSeconds } = exceeded;
  refusedRequests.inc({ limit: policy });
  // The body is not read, so the connection cannot be used again.
  response.set({ Connection: 'close', 'Retry-After': String(resetSeconds) });
  throw new TooManyRequests(
    `This ${policy === 'viewer' ? 'caller' : 'address'} has sent more than ${limit} requests in a minute.`,
    `Wait ${resetSeconds} s, and send fewer requests. Subscriptions replace repeated queries.`,
  );
}

/** The size of the body, if it is not compressed. */
function mostBytesOf({ headers }: Request, { maxBodyBytes }: HttpApiOptions): number {
  const { 'content-length': length, 'content-encoding': encoding } = headers;
  return encoding === undefined && length !== undefined ? Math.min(Number(length), maxBodyBytes) : maxBodyBytes;
}

/** The key is the TCP connection. */
const usages = new WeakMap<object, Usage>();

function usageOf({ socket }: Request): Usage {
  const usage = usages.get(socket) ?? new Usage();
  usages.set(socket, usage);
  return usage;
}

/** The time limit for a client that stops reading a long answer. */
const unreadAnswerMs = 60_000;

function httpContext(
  { viewer, key }: SignedIn,
  budget: AnswerBudget,
  request: Request,
  response: Response,
): HttpContext {
  const { socket } = request;
  const giveUp = () => socket.destroy();
  let read: () => void = () => undefined;
  response.once('close', () => {
    // The connection may send many answers. It must keep no memory of this answer.
    socket.off('timeout', giveUp);
    budget.release();
    read();
  });
  return {
    viewer,
    correlationId: randomUUID(),
    clientAddress: socket.remoteAddress,
    loaders: new Loaders(),
    budget,
    viewerKey: key,
    onAnswer(whenRead) {
      read = whenRead;
      if (response.closed) whenRead();
      else if (budget.isLong) socket.setTimeout(unreadAnswerMs, giveUp);
    },
  };
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

function contextOf(response: Response): HttpContext {
  const { context } = response.locals as { context?: HttpContext };
  if (context === undefined) throw new Error('A request reached GraphQL without signing in.');
  return context;
}

/** Answers errors that occur before GraphQL in the form of GraphQL. The answer never repeats the body. */
function answerErrors(log: ErrorLog): ErrorRequestHandler {
  return (error: unknown, _request, response, next) => {
    if (response.headersSent) {
      next(error);
      return;
    }
    const status = error instanceof StowageError ? statusOf(error, response) : statusOfBodyError(error);
    const shown = status === undefined || error instanceof StowageError ? error : unreadableBody(status);
    response.status(status ?? 500).json({ errors: [apiError(shown, randomUUID(), log)] });
  };
}

function statusOf(error: StowageError, response: Response): number {
  const { code } = error;
  if (error instanceof TooManyRequests) {
    if (!response.hasHeader('Retry-After')) response.set('Retry-After', retryAfter);
    return 429;
  }
  if (code === 'UNAVAILABLE') return 503;
  if (code !== 'UNAUTHENTICATED') return 400;
  return response.statusCode === 429 ? 429 : 401;
}

/** The status of an error of express's JSON parser. An error of decompression is one of zlib with this status. */
function statusOfBodyError(error: unknown): number | undefined {
  if (!(error instanceof Error) || !('status' in error)) return undefined;
  const { status } = error;
  return typeof status === 'number' && status >= 400 && status < 500 ? status : undefined;
}

function unreadableBody(status: number): StowageError {
  const problem = status === 413 ? 'is too large' : 'is not JSON in UTF-8';
  const hint = status === 413 ? 'Send less at once.' : 'Send a JSON object with query, variables and operationName.';
  return badInput([{ path: 'request', problem, hint }]);
}

/** Logs only warnings and errors of Apollo Server: its other messages are about its configuration. */
function quietLogger(log: HttpApiOptions['log']) {
  const ignore = () => undefined;
  const warn = (message: unknown) => log.warn({}, `Apollo Server: ${String(message)}`);
  return { debug: ignore, info: ignore, warn, error: warn };
}
