/** A folder on this machine, for `stowage up` and for file systems that every worker mounts at the same place. */
export type FilesystemSettings = {
  /** STOWAGE_FILESYSTEM_ROOT: an absolute path that exists. Nothing outside it is ever touched. */
  readonly root: string;
  /** The endpoint's folder below the root, with `/` between folders. Empty: the root itself. Created when first needed. */
  readonly path: string;
};
