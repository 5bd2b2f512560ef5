/** The warning for a target that was given up before it had confirmed the end of our sessions. */
export const silentTarget = 'The target no longer answers. Statements that it has received may still run there.';

/** The warning about what an unsuccessful restore may have left on its target, and what to do about it. */
export function leftOnTarget(databases: readonly string[]): string {
  if (databases.length === 0) {
    return 'The target may hold a part of the data. Drop the databases that were restored before you restore them again.';
  }
  const shown = databases.slice(0, 5).map((name) => `'${name}'`);
  const more = databases.length > shown.length ? ` and ${databases.length - shown.length} more` : '';
  const [which, them] = databases.length === 1 ? ['database', 'it'] : ['databases', 'them'];
  return `The target may hold a part of the data, in the ${which} ${shown.join(', ')}${more}, which did not exist before. Drop ${them} there before you restore ${them} again.`;
}
