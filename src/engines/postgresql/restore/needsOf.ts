import type { RestoreRequirements } from '../../runningRestore.js';
import { tablespaceNeed } from '../catalog/inventory.js';

/** What the databases of a backup need of this kind, without its prefix. */
export function needsOf({ databases }: RestoreRequirements['inventory'], kind: string): readonly string[] {
  const needs = databases.flatMap(({ needs: all = {}, properties }) => [
    ...Object.keys(all),
    ...(properties['tablespace'] === undefined ? [] : [`${tablespaceNeed}${properties['tablespace']}`]),
  ]);
  return [...new Set(needs.filter((need) => need.startsWith(kind)).map((need) => need.slice(kind.length)))];
}
