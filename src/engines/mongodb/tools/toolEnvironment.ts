import type { ServerAddress } from '../../network/serverAddress.js';
import { pinnedName } from '../../network/pinnedName.js';
import type { ToolFiles } from '../../process/toolFiles.js';
import type { ServiceConnection } from '../../serviceConnection.js';

/** The tools are written in Go, whose own name look-up ignores libnss_wrapper. `cgo` makes them use that of the system. */
export function toolEnvironment(
  member: ServiceConnection,
  address: ServerAddress,
  files: ToolFiles,
): Readonly<Record<string, string>> {
  const pinned = pinnedName(member, address, files);
  return Object.keys(pinned).length === 0 ? {} : { ...pinned, GODEBUG: 'netdns=cgo' };
}
