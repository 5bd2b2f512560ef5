import { StowageError } from '../../../errors.js';
import type { ServiceConnection } from '../../serviceConnection.js';
import { findClientPlugins } from '../../mariadb/clientPlugins.js';
import type { ServerAddress } from '../../network/serverAddress.js';
import type { ToolFiles } from '../../process/toolFiles.js';

/**
 * Adds the login of a MariaDB tool to its files, and returns the path for `--defaults-file`. The tool then reads no other
 * option file, and no secret is in an argument or in the environment.
 */
export async function addOptionFile(
  connection: ServiceConnection,
  server: ServerAddress,
  files: ToolFiles,
  /** The program that reads the file. */
  tool: string,
): Promise<string> {
  const plugins = await findClientPlugins(tool);
  const { mode, ca } = connection.tls;
  const caFile = mode === 'VERIFY' && ca !== null ? files.add(ca) : null;
  return files.add(optionFileText(connection, server, { caFile, plugins }));
}

function optionFileText(
  connection: ServiceConnection,
  server: ServerAddress,
  { caFile, plugins }: { readonly caFile: string | null; readonly plugins: string | undefined },
): string {
  // The certificate is valid for the host's name, not for the address.
  // `pinnedName` keeps the tool from connecting to another address.
  const host = connection.tls.mode === 'VERIFY' ? connection.host : server.address;
  const lines = [
    '[client]',
    'protocol=tcp',
    `host=${quoted('The host', host)}`,
    `port=${connection.port}`,
    `user=${quoted('The user name', connection.username ?? '')}`,
    `password=${quoted('The password', connection.password?.reveal() ?? '')}`,
    'max-allowed-packet=1G',
    ...(plugins === undefined ? [] : [`plugin-dir=${quoted('The folder of client plugins', plugins)}`]),
    ...tlsLines(connection.tls.mode, caFile),
  ];
  return `${lines.join('\n')}\n`;
}

function tlsLines(mode: ServiceConnection['tls']['mode'], caFile: string | null): readonly string[] {
  switch (mode) {
    case 'OFF':
      return ['skip-ssl'];
    case 'REQUIRE':
      return ['ssl', 'skip-ssl-verify-server-cert'];
    case 'VERIFY':
      return ['ssl', 'ssl-verify-server-cert', ...(caFile === null ? [] : [`ssl-ca=${quoted('The CA file', caFile)}`])];
  }
}

/**
 * MariaDB reads option files line by line, 4 KiB at most. Inside double quotes `#` starts no comment, and `\\` and `\"`
 * mean `\` and `"` (MariaDB manual, "Configuring MariaDB with Option Files").
 */
function quoted(what: string, value: string): string {
  // eslint-disable-next-line no-control-regex -- it matches control characters
  if (/[\u0000-\u001f\u007f]/.test(value)) {
    throw new StowageError('BAD_INPUT', `${what} contains a line break or another control character.`, {
      help: 'MariaDB tools cannot receive such a value. Choose another value on the server and in the service.',
    });
  }
  const text = `"${value.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`;
  if (Buffer.byteLength(text) > 3_000) {
    throw new StowageError('BAD_INPUT', `${what} is too long for MariaDB's option file.`, {
      help: 'Choose a value of at most 1,000 characters.',
    });
  }
  return text;
}
