import type { FoundDifference, InventoryDifference, Loss } from '../engines/inventoryDifference.js';
import { StowageError } from '../errors.js';

/** The restore tool reported success, but the target holds less than the backup. */
export class IncompleteRestore extends StowageError {
  constructor(
    losses: readonly Loss[],
    /** Every difference, including differences that do not make the restore fail. */
    readonly differences: readonly InventoryDifference[],
  ) {
    const [first] = losses;
    const more = losses.length > 1 ? `, and ${losses.length - 1} more` : '';
    super(
      'TOOL_FAILED',
      `The restore tool reported success, but the target holds less than the backup: ${first?.sentence ?? 'something is not there'}${more}.`,
      {
        ...(first === undefined ? {} : { help: first.help }),
        details: { losses: losses.slice(0, 20).map(({ sentence }) => sentence) },
      },
    );
  }
}

/** The form for an event. */
export function recordedDifference({ path, expected, actual }: FoundDifference): InventoryDifference {
  return { path, expected, actual };
}
