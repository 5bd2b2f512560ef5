import type { ToolUids } from './toolUids.js';

/** How the programs of a worker are found and started. */
export type Tools = {
  /** Folders that are searched before the folders of the system. */
  readonly folders: readonly string[];
  /** Absent: programs run under the uid of this process. */
  readonly uids?: ToolUids;
};

export const systemTools: Tools = { folders: [] };
