import type { PartSpec } from '../preflightReport.js';

/** The part with users, roles and grants. No restore replays it. `taken`: the names of the other parts. */
export function usersPart(extension: string, taken: readonly string[] = []): PartSpec {
  // An engine names parts after databases, and no database of MongoDB has a dot in its name.
  const name = taken.includes('users') ? 'users.accounts' : 'users';
  return { name, extension, databases: [], replay: false };
}

export function isUsersPart({ replay }: Pick<PartSpec, 'replay'>): boolean {
  return replay === false;
}
