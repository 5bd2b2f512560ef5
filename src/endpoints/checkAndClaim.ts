import { backupDocumentName } from '../archive/layout.js';
import type { Check } from '../check.js';
import { StowageError } from '../errors.js';
import { checkTimeoutMs, throwUnlessOk } from '../server/checkType.js';
import type { Storage } from '../storage/storage.js';
import type { StorageTarget } from '../storage/storageKind.js';
import { checkStorage, type CheckTools } from './checkStorage.js';
import type { FileEndpointContent } from './fileEndpoint.js';
import { claimPrefix, readMarker } from './installationMarker.js';
import { belongsToOthers, refuseClaimedPlace, type Place } from './neighbours.js';

/** The endpoint before a change, with the folders that must exist at the new address. */
type EndpointWithBackups = Pick<FileEndpointContent, 'name' | 'prefix'> & { readonly folders: readonly string[] };

/**
 * Checks a place as `checkStorage` does, and claims its prefix for the project. Throws CHECK_FAILED, and CONFLICT if
 * another installation or another project owns the prefix. Throws ENDPOINT_IN_USE if `backups` are given and not all of them are there.
 */
export async function checkAndClaim(
  tools: CheckTools,
  target: StorageTarget,
  name: string,
  place: Place,
  backups?: EndpointWithBackups,
): Promise<Check> {
  const check = await checkStorage(target, place, tools);
  throwUnlessOk(check, `File endpoint "${name}"`);
  const storage = target.open();
  try {
    const signal = AbortSignal.any([tools.stopping, AbortSignal.timeout(checkTimeoutMs)]);
    const { installationId } = tools;
    const { projectId, prefix } = place;
    if (backups !== undefined) await refuseElsewhere(tools, storage, { ...backups, projectId }, signal);
    const marker = await claimPrefix(storage, prefix, { installationId, projectId }, signal);
    await refuseClaimedPlace(tools, marker, place);
  } finally {
    await storage.close();
  }
  return check;
}

/**
 * Throws ENDPOINT_IN_USE if the new address leads to another place. Our marker at the old prefix shows whether it is
 * the same place, unless it names other projects only. The marker alone is not enough, because a partial or an older copy of the place has it too. So the
 * newest backups must be there as well.
 */
async function refuseElsewhere(
  tools: CheckTools,
  storage: Storage,
  { name, prefix, folders, projectId }: EndpointWithBackups & Pick<Place, 'projectId'>,
  signal: AbortSignal,
): Promise<void> {
  const where = `The backups of file endpoint "${name}" are not at the new address`;
  const marker = await readMarker(storage, prefix, signal);
  if (marker?.installation !== tools.installationId || (await belongsToOthers(tools, marker, projectId))) {
    throw new StowageError('ENDPOINT_IN_USE', `${where}.`, {
      help: 'Create another file endpoint for the new place, or delete the backups first.',
    });
  }
  for (const folder of folders) {
    const document = `${folder}${backupDocumentName}`;
    if ((await storage.head(document, { signal })) !== undefined) continue;
    throw new StowageError('ENDPOINT_IN_USE', `${where}: there is no "${document}".`, {
      help: 'Copy all of them there first, create another file endpoint for the new place, or delete the backups.',
      details: { object: document },
    });
  }
}
