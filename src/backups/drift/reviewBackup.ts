import type { EntityManager } from 'typeorm';
import type { BackupReview } from '../../archive/archive.js';
import { InventoryComparison } from '../../archive/changes/inventoryComparison.js';
import { summarizeChanges } from '../../archive/changes/summarizeChanges.js';
import type { Inventory } from '../../engines/inventory.js';
import { StowageError } from '../../errors.js';
import type { BackupRequest } from '../backupJob.js';
import { belowThreshold } from './belowThreshold.js';
import { previousBackup, previousObjects, type PreviousBackup } from './previousBackup.js';

/**
 * Compares a dump with the previous backup of the same destination. A fall below the threshold of the plan is a warning.
 * Throws DRIFT_EXCEEDED instead if the plan says so, and if no person started the backup: the person has checked the
 * database, and wants the backup as it is. `startedAt` is the start of the attempt.
 */
export async function reviewBackup(
  manager: EntityManager,
  { request, startedAt }: { readonly request: BackupRequest; readonly startedAt: string },
  inventory: Inventory,
): Promise<BackupReview> {
  const previous = await previousBackup(manager, request, startedAt);
  if (previous === null) return { changes: null, warnings: [] };
  const threshold = request.driftThreshold ?? null;
  const comparison = new InventoryComparison(inventory, {
    definitions: isReadAlike(previous, inventory),
    except: new Set(threshold?.exceptTables),
  });
  for await (const object of previousObjects(manager, previous.id)) comparison.add(object);
  const found = comparison.changes();
  const changes = summarizeChanges(previous.id, found);
  const below = threshold === null ? [] : belowThreshold(found, threshold);
  if (below.length === 0) return { changes, warnings: [] };
  const when = `the backup of ${previous.startedAt.toISOString().slice(0, 16).replace('T', ' ')} UTC`;
  const sentence = `The database has fewer rows than the plan allows since ${when}. ${below.join(' ')}`;
  if (threshold?.action === 'FAIL' && !isByHand(request))
    throw exceeded(`${sentence} All changes: ${changes.sentence}`);
  return { changes, warnings: [sentence] };
}

function exceeded(message: string): StowageError {
  return new StowageError('DRIFT_EXCEEDED', message, {
    help: 'Check the database. The earlier backups are unchanged. If the rows are gone on purpose, start a backup of the plan by hand: it succeeds with a warning, and later backups are compared with it. To allow more, change driftThreshold of the plan.',
  });
}

/** A RETRY counts as the job that it replaces. */
function isByHand({ trigger, standsFor }: BackupRequest): boolean {
  const first = trigger === 'RETRY' ? standsFor : trigger;
  return first === 'MANUAL' || first === 'SAFETY';
}

function isReadAlike({ definitionsTaken: before }: PreviousBackup, { definitionsTaken: now }: Inventory): boolean {
  return before !== null && before.normalisation === now?.normalisation && before.server === now.server;
}
