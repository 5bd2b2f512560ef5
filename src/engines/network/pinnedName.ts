import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { ServiceConnection } from '../serviceConnection.js';
import type { ToolFiles } from '../process/toolFiles.js';
import type { ServerAddress } from './serverAddress.js';

/** Where Debian and Ubuntu, the RPM distributions, and `make install` put the library of libnss-wrapper. */
const places = [
  ...['x86_64', 'aarch64', 'arm', 'riscv64', 'powerpc64le', 's390x'].map((machine) => `/usr/lib/${machine}-linux-gnu`),
  ...['/usr/lib64', '/usr/lib', '/usr/local/lib64', '/usr/local/lib'],
];

/**
 * The environment in which a tool that resolves the host by itself finds only the address that we have checked. A tool needs
 * the name of the host to verify the certificate (TLS mode VERIFY), and a second answer of a name server could be another
 * address. libnss_wrapper answers look-ups of a program from a file (nss_wrapper(1)).
 *
 * Empty for other TLS modes: the tool is then given the address. Also empty where the library is not installed: the tool then
 * resolves the name again, and only its verification of the certificate protects from another server.
 */
export function pinnedName(
  { host, tls }: Pick<ServiceConnection, 'host' | 'tls'>,
  { address }: ServerAddress,
  files: ToolFiles,
): Readonly<Record<string, string>> {
  const library = places.map((place) => join(place, 'libnss_wrapper.so')).find((path) => existsSync(path));
  if (tls.mode !== 'VERIFY' || library === undefined) return {};
  // The library looks for a name without the dot at its end.
  const hosts = files.add(`${address} ${host.replace(/\.$/, '')}\n`);
  return { LD_PRELOAD: library, NSS_WRAPPER_HOSTS: hosts };
}
