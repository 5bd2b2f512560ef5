import type { CounterConfiguration, LabelValues, Registry } from 'prom-client';
import { collectDefaultMetrics, Counter, Gauge, Histogram } from 'prom-client';
import { answerLimits } from './budget/answerBudget.js';

/** The metrics of the API process. Call it once for each registry. */
export type ServerMetrics = {
  readonly registry: Registry;
  readonly httpRequests: Counter<'method' | 'route' | 'status'>;
  readonly httpSeconds: Histogram<'route'>;
  readonly operations: Counter<'kind' | 'transport' | 'outcome'>;
  readonly failedSignIns: Counter<'transport'>;
  readonly sockets: Gauge;
  readonly subscriptions: Gauge;
  readonly refusedSockets: Counter<'reason'>;
  readonly closedConnections: Counter;
  readonly refusedRequests: Counter<'limit'>;
  readonly exceededAnswers: Counter<'limit'>;
};

export function serverMetrics(registry: Registry): ServerMetrics {
  const registers = [registry];
  if (registry.getSingleMetric('process_cpu_seconds_total') === undefined) {
    // The default of 10 ms would wake an idle process a hundred times a second.
    collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: 200 });
    // Not exported: promtool rejects gauges whose names end in _total. The metrics without _total show the same numbers
    // by type.
    for (const what of ['resources', 'handles', 'requests']) registry.removeSingleMetric(`nodejs_active_${what}_total`);
  }
  return { registry, ...httpMetrics(registers), ...graphqlMetrics(registers), ...socketMetrics(registers) };
}

function httpMetrics(registers: Registry[]) {
  return {
    httpRequests: new Counter({
      name: 'stowage_http_requests_total',
      help: 'HTTP requests answered.',
      labelNames: ['method', 'route', 'status'],
      registers,
    }),
    httpSeconds: new Histogram({
      name: 'stowage_http_request_duration_seconds',
      help: 'Time from the head of a request to the end of its answer.',
      labelNames: ['route'],
      buckets: [0.005, 0.02, 0.1, 0.5, 2, 10, 30],
      registers,
    }),
    closedConnections: new Counter({
      name: 'stowage_http_connections_closed_total',
      help: 'HTTP connections closed because there were too many on which nobody had signed in.',
      registers,
    }),
    refusedRequests: fromZero(['viewer', 'address'], {
      name: 'stowage_requests_refused_total',
      help: 'Requests over HTTP refused because a viewer or an address had sent too many in a minute.',
      labelNames: ['limit'],
      registers,
    }),
  };
}

/** Of HTTP and of WebSockets. */
function graphqlMetrics(registers: Registry[]) {
  return {
    operations: new Counter({
      name: 'stowage_graphql_operations_total',
      help: 'GraphQL operations, by outcome: refused before execution, or executed.',
      labelNames: ['kind', 'transport', 'outcome'],
      registers,
    }),
    subscriptions: new Gauge({ name: 'stowage_graphql_subscriptions', help: 'Running subscriptions.', registers }),
    exceededAnswers: fromZero(Object.keys(answerLimits), {
      name: 'stowage_graphql_answers_exceeded_total',
      help: 'Answers ended because they exceeded their budget, by limit.',
      labelNames: ['limit'],
      registers,
    }),
    failedSignIns: new Counter({
      name: 'stowage_sign_ins_failed_total',
      help: 'Requests and WebSockets without a valid token or session, and failed sign-ins of people.',
      labelNames: ['transport'],
      registers,
    }),
  };
}

function socketMetrics(registers: Registry[]) {
  return {
    sockets: new Gauge({ name: 'stowage_websocket_connections', help: 'Open WebSockets.', registers }),
    refusedSockets: fromZero(['before_sign_in', 'viewer'], {
      name: 'stowage_websockets_refused_total',
      help: 'WebSockets refused because there were too many before sign-in, or of one viewer.',
      labelNames: ['reason'],
      registers,
    }),
  };
}

/**
 * A counter that shows each value of its label from the start. Otherwise a scraper would not see the first increase.
 */
function fromZero<Label extends string>(
  values: readonly string[],
  configuration: CounterConfiguration<Label> & { readonly labelNames: readonly [Label] },
): Counter<Label> {
  const counter = new Counter(configuration);
  for (const value of values) counter.inc({ [configuration.labelNames[0]]: value } as LabelValues<Label>, 0);
  return counter;
}
