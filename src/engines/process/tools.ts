import type { ToolUids } from './toolUids.js';

/** How the programs of a worker are found and started. */
export type Tools = {
  /** Folders that are searched before the folders of the system: `STOWAGE_TOOLS`. */
  readonly folders: readonly string[];
  /** Folders that are searched after the folders of the system: the `PATH`. Absent: none. */
  readonly laterFolders?: readonly string[];
  /** Absent: programs run under the uid of this process. */
  readonly uids?: ToolUids;
};

export const systemTools: Tools = { folders: [] };

/**
 * The versions of the programs of an engine that are installed on this machine, by program. Several versions of one
 * program may be installed.
 */
export type ToolVersions = Readonly<Record<string, readonly string[]>>;
