/** A folder on this machine, for `stowage up` and for file systems that every worker mounts at the same place. */
export type FilesystemSettings = {
  /** STOWAGE_FILESYSTEM_ROOT: absolute, and there already. Nothing outside it is ever touched. */
  readonly root: string;
  /** The endpoint's folder below the root, `/` between folders; `` is the root itself. Made when first needed. */
  readonly path: string;
};
