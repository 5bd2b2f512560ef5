import { rootCertificates } from 'node:tls';
import { StowageError } from '../../../errors.js';
import type { ServerAddress } from '../../network/serverAddress.js';
import { unlimited } from '../session/limits.js';
import type { ToolFiles } from '../../process/toolFiles.js';
import type { ServiceConnection } from '../../serviceConnection.js';

/** The argument for `--dbname`: libpq then reads everything else from the service file. */
export const serviceArgument = 'service=stowage';

/** A person who restores by hand sets them too, because the values of type money are written for this locale. */
export const valueSettings = ['lc_monetary=C', 'array_nulls=on', 'transform_null_equals=off'];

/** A restore reads dates and intervals as the archive has them, whatever the target sets. */
const textSettings = ['datestyle=ISO', 'intervalstyle=postgres', 'bytea_output=hex', 'extra_float_digits=3'];

/**
 * Adds the login of a tool to its files, and returns the environment in which the tool finds it. It is a connection service
 * file of libpq, because a password file must be private to the tool's uid, and an environment variable may be seen by
 * other processes. A database's name in it is never read as a connection string.
 */
export function addServiceFile(
  connection: ServiceConnection,
  { address }: ServerAddress,
  files: ToolFiles,
  session: {
    readonly database: string;
    readonly applicationName: string;
    readonly major: number;
    /** More settings `name=value` of the session. */
    readonly settings?: readonly string[];
  },
): Readonly<Record<string, string>> {
  const { host, port, username, password, tls } = connection;
  const lines = [
    '[stowage]',
    // The certificate is valid for the host's name. libpq connects to the address only.
    ...(tls.mode === 'VERIFY' ? [line('host', 'The host', host)] : []),
    `hostaddr=${address}`,
    `port=${port}`,
    line('user', 'The user name', username ?? ''),
    ...(password === null || password.reveal() === '' ? [] : [line('password', 'The password', password.reveal())]),
    line('dbname', 'The name of the database', session.database),
    `application_name=${session.applicationName}`,
    'gssencmode=disable',
    'connect_timeout=20',
    ...tlsLines(tls, files),
  ];
  return {
    PGSERVICEFILE: files.add(`${lines.join('\n')}\n`),
    // Settings of the server, the role or the database must not change values and definitions, or end the tool.
    PGOPTIONS: [...unlimited(session.major), ...valueSettings, ...textSettings, ...(session.settings ?? [])]
      .map((setting) => `-c ${setting}`)
      .join(' '),
    // Otherwise a login without a password uses the password file of the account that runs Stowage.
    PGPASSFILE: '/nonexistent',
    // libpq otherwise reads files of this folder.
    HOME: '/nonexistent',
    PGTZ: 'UTC',
  };
}

function tlsLines({ mode, ca }: ServiceConnection['tls'], files: ToolFiles): readonly string[] {
  switch (mode) {
    case 'OFF':
      return ['sslmode=disable'];
    case 'REQUIRE':
      return ['sslmode=require'];
    case 'VERIFY':
      // Our own sessions trust the same certificates.
      return ['sslmode=verify-full', `sslrootcert=${files.add(ca ?? rootCertificates.join('\n'))}`];
  }
}

/** libpq reads a service file line by line, and removes white space at the end of a line (its source, fe-connect.c). */
function line(keyword: string, what: string, value: string): string {
  // eslint-disable-next-line no-control-regex -- it matches control characters
  if (/[\u0000-\u001f\u007f]|^\s|\s$/.test(value)) {
    throw new StowageError('BAD_INPUT', `${what} contains a control character, or begins or ends with a space.`, {
      help: 'The tools of PostgreSQL cannot receive such a value. Choose another value on the server and in the service.',
    });
  }
  if (Buffer.byteLength(value) > 900) {
    throw new StowageError('BAD_INPUT', `${what} is too long for a service file of PostgreSQL.`, {
      help: 'Choose a value of at most 900 bytes.',
    });
  }
  return `${keyword}=${value}`;
}
