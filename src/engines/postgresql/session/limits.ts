/**
 * Limits of the server, the database or the role that would end a session of ours or of a tool, as `name=value`. A server
 * refuses the login with a setting that it does not know, so each depends on the version.
 */
export function unlimited(major: number): readonly string[] {
  return [
    ...['statement_timeout=0', 'idle_in_transaction_session_timeout=0', 'default_transaction_read_only=off'],
    // A session of pg_restore is idle while the next bytes of the archive are fetched.
    ...(major >= 14 ? ['idle_session_timeout=0'] : []),
    ...(major >= 17 ? ['transaction_timeout=0'] : []),
  ];
}
