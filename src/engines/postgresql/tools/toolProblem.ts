import type { ErrorCode, StowageErrorOptions } from '../../../errors.js';

/** What a tool reported: the first error, its code, and what to do. */
export type ToolProblem = {
  readonly code: ErrorCode;
  readonly sentence: string;
  readonly wayOut: Pick<StowageErrorOptions, 'help' | 'retriable'>;
};

type Rule = {
  readonly shape: RegExp;
  readonly code: ErrorCode;
  readonly during?: 'DUMP' | 'RESTORE';
  readonly help?: string;
  readonly retriable?: boolean;
};

/** The tools print no SQLSTATE, so the sentence decides. */
const rules: readonly Rule[] = [
  {
    shape: /canceling statement due to conflict with recovery/,
    code: 'SERVICE_BUSY',
    help: 'The standby ended the dump, because the primary changed rows that it was reading. It is tried again. Set hot_standby_feedback = on or a longer max_standby_streaming_delay on the standby, or back up the primary.',
    retriable: true,
  },
  {
    // --lock-wait-timeout of pg_dump is the timeout of its statements that lock.
    shape: /canceling statement due to (?:lock|statement) timeout|could not obtain lock|deadlock detected/,
    code: 'SERVICE_BUSY',
    retriable: true,
  },
  {
    shape: /out of shared memory/,
    code: 'SERVICE_SETTING',
    help: 'The dump holds a lock of each table until it ends. Raise max_locks_per_transaction on the server (it needs a restart), or divide the tables into several databases.',
  },
  {
    shape: /affected by row-level security policy/,
    code: 'SERVICE_PRIVILEGE',
    help: 'Give the account BYPASSRLS: ALTER ROLE … BYPASSRLS. Otherwise the dump would lack the rows that it may not see.',
  },
  { shape: /permission denied|must be (?:owner|superuser|member|able)/, code: 'SERVICE_PRIVILEGE' },
  { shape: /password authentication failed|no pg_hba\.conf entry|is not permitted to log in/, code: 'SERVICE_AUTH' },
  {
    shape:
      /terminating connection|server closed the connection|could not connect|connection to server|SSL SYSCALL|could not receive data|could not send data|no COPY in progress|SSL connection has been closed|remaining connection slots|too many clients/,
    code: 'SERVICE_UNREACHABLE',
  },
  {
    shape: /cache lookup failed|could not open relation with OID|relation ("(?:[^"]|"")*"|with OID \d+) does not exist/,
    during: 'DUMP',
    code: 'TOOL_FAILED',
    help: 'A table was dropped while it was dumped. The backup is tried again.',
    retriable: true,
  },
  {
    shape: /aborting because of server version mismatch|unsupported version \(/,
    code: 'TOOL_VERSION',
  },
  {
    shape: /security label provider "(?:[^"]|"")*" is not loaded/,
    during: 'RESTORE',
    code: 'TARGET_UNFIT',
    help: 'Add the library of the provider to shared_preload_libraries of the target and restart it.',
  },
  {
    shape:
      /is not available|could not open extension control file|could not access file|collation .* does not exist|invalid (?:LC_|locale|ICU)/,
    during: 'RESTORE',
    code: 'TARGET_UNFIT',
  },
];

/** pg_dump reports in the detail why the rows of a table did not come. */
const isDetail = (line: string) => line.startsWith('pg_dump: detail: Error message from server: ');
const isError = (line: string) => /^pg_\w+: (?:error|fatal): |ERROR: |FATAL: |PANIC: /.test(line);

/** The first error among these lines of a tool. Undefined: it reported none. */
export function toolProblem(lines: readonly string[], situation: 'DUMP' | 'RESTORE'): ToolProblem | undefined {
  const errors = lines.filter(isError);
  const [first] = errors;
  if (first === undefined) return undefined;
  const reasons = lines.filter((line) => isError(line) || isDetail(line));
  const rule = rules.find(
    ({ shape, during }) => (during ?? situation) === situation && reasons.some((line) => shape.test(line)),
  );
  const sentence = first.replace(/^pg_\w+: (?:error|fatal): /, '');
  const { code = 'TOOL_FAILED', help, retriable } = rule ?? {};
  return {
    ...{ code, sentence },
    wayOut: { ...(help === undefined ? {} : { help }), ...(retriable === undefined ? {} : { retriable }) },
  };
}
