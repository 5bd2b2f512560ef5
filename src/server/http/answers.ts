import { HeaderMap } from '@apollo/server';
import type { ExecutionArgs, ExecutionResult } from 'graphql';
import { apiError, type ErrorLog } from '../apiError.js';
import { executeWithinBudget } from '../budget/executeWithinBudget.js';
import { jsonInSlices } from '../budget/jsonInSlices.js';
import type { AuditReports } from '../auditReports.js';
import type { Shares } from '../fairness/shares.js';
import { retryAfter, TooManyRequests } from '../fairness/tooManyRequests.js';
import { refusalsIn } from '../refusals.js';
import type { RequestContext } from '../requestContext.js';
import type { HttpContext } from './httpContext.js';

/** Executes operations instead of Apollo Server, and writes their results as JSON, both within the budget of the answer. */
export class Answers {
  readonly #log: ErrorLog;
  readonly #shares: Shares;
  readonly #reports: AuditReports;
  readonly #contexts = new WeakMap<object, HttpContext>();

  constructor({
    log,
    shares,
    reports,
  }: {
    readonly log: ErrorLog;
    readonly shares: Shares;
    readonly reports: AuditReports;
  }) {
    this.#log = log;
    this.#reports = reports;
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
    for (const refusal of refusalsIn(errors ?? [])) this.#reports.operationRefused(contextValue, refusal);
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
