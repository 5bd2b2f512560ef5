import { StowageError } from '../../../errors.js';
import type { ServiceConnection } from '../../serviceConnection.js';
import type { Dialect } from '../dialect.js';
import type { ServerAddress } from '../../network/serverAddress.js';
import type { ToolFiles } from '../../process/toolFiles.js';

/**
 * Adds the login of a tool to its files, and returns the path for `--defaults-file`. The tool then reads no other
 * option file, and no secret is in an argument or in the environment.
 */
export async function addOptionFile(
  connection: ServiceConnection,
  server: ServerAddress,
  files: ToolFiles,
  /** The program that reads the file. */
  { program, dialect }: { readonly program: string; readonly dialect: Dialect },
): Promise<string> {
  const plugins = await dialect.pluginFolder(program);
  const { mode, ca } = connection.tls;
  const caFile = mode === 'VERIFY' && ca !== null ? files.add(ca) : null;
  return files.add(optionFileText(connection, server, { caFile, plugins, dialect }));
}

function optionFileText(
  connection: ServiceConnection,
  server: ServerAddress,
  {
    caFile,
    plugins,
    dialect,
  }: { readonly caFile: string | null; readonly plugins: string | undefined; readonly dialect: Dialect },
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
    ...dialect.tlsOptions(connection.tls.mode, caFile === null ? null : quoted('The CA file', caFile)),
  ];
  return `${lines.join('\n')}\n`;
}

/**
 * The tools read option files line by line, 4 KiB at most. Inside double quotes `#` starts no comment, and `\\` and `\"`
 * mean `\` and `"` (MariaDB manual, "Configuring MariaDB with Option Files").
 */
function quoted(what: string, value: string): string {
  // eslint-disable-next-line no-control-regex -- it matches control characters
  if (/[\u0000-\u001f\u007f]/.test(value)) {
    throw new StowageError('BAD_INPUT', `${what} contains a line break or another control character.`, {
      help: 'The tools cannot receive such a value. Choose another value on the server and in the service.',
    });
  }
  const text = `"${value.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`;
  if (Buffer.byteLength(text) > 3_000) {
    throw new StowageError('BAD_INPUT', `${what} is too long for the option file of the tools.`, {
      help: 'Choose a value of at most 1,000 characters.',
    });
  }
  return text;
}
