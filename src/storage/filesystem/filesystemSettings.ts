/** A folder on this machine, for `stowage up` and for file systems that every worker mounts at the same path. */
export type FilesystemSettings = {
  /** STOWAGE_FILESYSTEM_ROOT: an absolute path that exists. Nothing outside of it is ever changed. */
  readonly root: string;
  /**
   * The endpoint's folder below the root, with `/` between folders. Empty: the root itself. It is created at its first
   * use.
   */
  readonly path: string;
};
