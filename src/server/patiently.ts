/** Runs the work of one request with the limit on its waits for the database. */
export type Patiently = <T>(work: () => T) => T;

export const withoutLimit: Patiently = (work) => work();
