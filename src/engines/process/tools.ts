/** How the programs of a worker are found. */
export type Tools = {
  /** They are searched before the folders of the system. */
  readonly folders: readonly string[];
};

export const systemTools: Tools = { folders: [] };
