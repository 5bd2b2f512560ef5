import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { ServiceConnection } from '../serviceConnection.js';
import type { ToolFiles } from '../process/toolFiles.js';
import type { ServerAddress } from './serverAddress.js';

/** The paths of the library of libnss-wrapper on Debian and Ubuntu, on RPM distributions, and after `make install`. */
const places = [
  ...['x86_64', 'aarch64', 'arm', 'riscv64', 'powerpc64le', 's390x'].map((machine) => `/usr/lib/${machine}-linux-gnu`),
  ...['/usr/lib64', '/usr/lib', '/usr/local/lib64', '/usr/local/lib'],
];

/**
 * The environment for a tool that resolves the host itself. In it, the name of the host resolves only to the address
 * that we have checked. In TLS mode VERIFY a tool needs the name to verify the certificate, and a second answer of a
 * name server could be another address. libnss_wrapper answers the name look-ups of a program from a file
 * (nss_wrapper(1)).
 *
 * Empty for other TLS modes, because the tool then gets the address. Also empty if the library is not installed: the
 * tool then resolves the name again, and only its verification of the certificate protects against another server.
 */
export function pinnedName(
  { host, tls }: Pick<ServiceConnection, 'host' | 'tls'>,
  { address }: ServerAddress,
  files: ToolFiles,
): Readonly<Record<string, string>> {
  const library = places.map((place) => join(place, 'libnss_wrapper.so')).find((path) => existsSync(path));
  if (tls.mode !== 'VERIFY' || library === undefined) return {};
  // The library searches for a name without the dot at its end.
  const hosts = files.add(`${address} ${host.replace(/\.$/, '')}\n`);
  return { LD_PRELOAD: library, NSS_WRAPPER_HOSTS: hosts };
}
