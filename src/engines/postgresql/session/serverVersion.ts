import { StowageError } from '../../../errors.js';
import { outsideText } from '../../../outsideText.js';
import type { Row } from '../../conversation/answer.js';
import type { ServiceConnection } from '../../serviceConnection.js';

/** For example 15 and "15.19". */
export type ServerVersion = { readonly major: number; readonly text: string };

/** The catalogs of older servers lack columns that the inventory reads. */
const oldestMajor = 12;

/** Accepts PostgreSQL 12 and later. Throws TOOL_VERSION for an older server, and for a server that only resembles it. */
export async function readServerVersion(
  { host, port }: ServiceConnection,
  query: (sql: string) => Promise<readonly Row[]>,
): Promise<ServerVersion> {
  // A role may have a limit that ends even this query.
  const [row] = await query(
    'SET statement_timeout = 0; SELECT version() AS version, current_setting($$server_version_num$$) AS number',
  );
  const number = Number(row?.['number']);
  const version = outsideText(row?.['version'] ?? '', 128);
  const major = Math.floor(number / 10_000);
  const text = number >= 100_000 ? `${major}.${number % 10_000}` : version;
  if (/^PostgreSQL /.test(version) && !/CockroachDB|Redshift|-YB-|Greenplum/i.test(version) && major >= oldestMajor) {
    return { major, text };
  }
  throw new StowageError(
    'TOOL_VERSION',
    `The server at ${host}:${port} is ${version || 'of an unknown kind'}, and Stowage supports only PostgreSQL ${oldestMajor} and later.`,
    { help: `Upgrade the server to PostgreSQL ${oldestMajor} or later.`, details: { version } },
  );
}
