/**
 * How an installation is told from a copy of its database. Both have the same installation id, which is what the
 * marker of a prefix names; they differ in where the database lives, and in what they know of the marks that the living
 * one writes into its markers, again and again.
 */
export interface PrefixMarks {
  /**
   * Whether this database is the installation's own. COPY: it lives in another cluster, or as another database, than
   * the one that the installation was last said to live in. WATCHING: it is reached at a server that is new to it, so
   * it may be a copy of the files of another one, or a replica that was promoted beside it: until `watchMs` after it
   * was first reached there it only looks whether somebody else renews the marks.
   */
  standing(watchMs: number): Promise<Standing>;
  /** Whether this database, or the one that it was copied from, wrote that mark; since it was adopted, if it was. */
  knows(mark: string): Promise<boolean>;
  /** The mark to write next: the same again until it is confirmed, for it may stand there already. */
  next(
    prefix: MarkedPrefix,
  ): Promise<{ readonly mark: string; /** Also over a mark that is not known. */ readonly takesOver: boolean }>;
  /** That mark was read back from the container. */
  confirm(prefix: MarkedPrefix, mark: string): Promise<void>;
  /** A person says that the installation lives here from now on: its marks replace all others. */
  adopt(): Promise<void>;
}

export type Standing =
  { readonly kind: 'OWN' } | { readonly kind: 'COPY' } | { readonly kind: 'WATCHING'; readonly until: Date };

export type MarkedPrefix = {
  readonly fileEndpointId: string;
  readonly prefix: string;
  /** When the file endpoint was made. */
  readonly since: Date;
};
