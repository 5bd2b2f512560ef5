import type { Engine } from '../engines/engine.js';
import type { StoredStep } from '../engines/pipeline/storedStep.js';
import type { PartSpec } from '../engines/preflightReport.js';

/**
 * The command that a person types to restore a part without Stowage. For a part that is never replayed, the command
 * only shows it.
 */
export function restoreByHand(engine: Engine, part: PartSpec, steps: readonly StoredStep[], download: string): string {
  const undo = steps.map(({ undoByHand }) => undoByHand).reverse();
  return [download, ...undo, ...(part.replay === false ? [] : [engine.restoreByHand(part)])].join(' | ');
}

/** The programs that the command needs, and their versions, in a sentence. */
export function restoreByHandNeeds(engine: Engine, part: PartSpec, steps: readonly StoredStep[]): string {
  const needs = steps.map(({ undoByHandNeeds }) => undoByHandNeeds).reverse();
  const all = part.replay === false ? needs : [...needs, engine.restoreByHandNeeds];
  return all.length < 2 ? `${all.join('')}.` : `${all.slice(0, -1).join(', ')}, and ${all.at(-1)}.`;
}
