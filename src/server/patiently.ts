/** Runs the work of one request, and limits how long it waits for the database. */
export type Patiently = <T>(work: () => T) => T;

export const withoutLimit: Patiently = (work) => work();
