import { StowageError } from '../../errors.js';
import { versionNumber } from '../process/programVersion.js';
import type { Named } from '../mysqlFamily/catalog/catalog.js';
import { isOlder } from '../mysqlFamily/session/serverSettings.js';
import { distribution } from '../mysqlFamily/tools/distribution.js';
import { listed } from '../mysqlFamily/checks/listed.js';

/** Throws TOOL_VERSION for a mariadb-dump before 10.3. Such a tool dumps sequences as tables. */
export function refuseToolWithoutSequences(toolVersion: string, sequences: readonly Named[]): void {
  const release = distribution(toolVersion);
  if (release === undefined || !isOlder(release, [10, 3]) || sequences.length === 0) return;
  const [names] = listed(
    sequences.map(({ database, name }) => `${database}.${name}`),
    `mariadb-dump ${versionNumber(toolVersion)} on this worker does not know sequences, which MariaDB has since 10.3`,
  );
  throw new StowageError('TOOL_VERSION', names ?? '', {
    help: 'Install client tools on the worker that are at least as new as the server (on Debian or Ubuntu the package mariadb-client).',
    details: { toolVersion: versionNumber(toolVersion) },
  });
}
