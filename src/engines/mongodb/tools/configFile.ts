import { isIP } from 'node:net';
import type { ServerAddress } from '../../network/serverAddress.js';
import type { ToolFiles } from '../../process/toolFiles.js';
import type { ServiceConnection } from '../../serviceConnection.js';

/**
 * Adds the address and the login of a tool to its files, and returns the path for `--config`. So neither is an argument
 * or in the environment. The tool prints its address in some errors; the password is not part of it.
 */
export function addConfigFile(
  member: ServiceConnection,
  address: ServerAddress,
  files: ToolFiles,
  appName: string,
): string {
  const { mode, ca } = member.tls;
  const caFile = mode === 'VERIFY' && ca !== null ? files.add(ca) : null;
  return files.add(configFileText(member, address, { caFile, appName }));
}

/** Exported for tests. The file is YAML, in which a JSON text is a quoted string. */
export function configFileText(
  member: ServiceConnection,
  { address }: ServerAddress,
  { caFile, appName }: { readonly caFile: string | null; readonly appName: string },
): string {
  const { username, password, authSource, tls } = member;
  // The certificate is valid for the host's name, not for the address.
  const host = tls.mode === 'VERIFY' ? member.host : address;
  const user = username === null ? '' : `${encodeURIComponent(username)}@`;
  const options = new URLSearchParams({
    // Without it the tool would follow the replica set to addresses that nobody has checked.
    directConnection: 'true',
    appName,
    serverSelectionTimeoutMS: '15000',
    connectTimeoutMS: '15000',
    ...(username === null ? {} : { authSource: authSource ?? 'admin' }),
    ...(tls.mode === 'OFF' ? {} : { tls: 'true' }),
    ...(tls.mode === 'REQUIRE' ? { tlsInsecure: 'true' } : {}),
    ...(caFile === null ? {} : { tlsCAFile: caFile }),
  });
  // A space is written as %20, because the tool does not read a plus as a space.
  const uri = `mongodb://${user}${isIP(host) === 6 ? `[${host}]` : host}:${member.port}/?${options.toString().replaceAll('+', '%20')}`;
  const lines = [
    `uri: ${JSON.stringify(uri)}`,
    ...(password === null ? [] : [`password: ${JSON.stringify(password.reveal())}`]),
  ];
  return `${lines.join('\n')}\n`;
}
