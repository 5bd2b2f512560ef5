/**
 * Runs the work of one request, and limits how long it waits for the database. Viewers share the connections to it; without
 * a viewer, which is before the sign-in, the work counts as the process's own.
 */
export type Patiently = <T>(work: () => T, viewerKey?: string) => T;

export const withoutLimit: Patiently = (work) => work();
