/**
 * Distinguishes an installation from a copy of its database. Both have the same installation id, which the marker of a
 * prefix names. They differ in the place of the database, and in the marks: the original installation regularly writes
 * new marks into its markers, which the copy does not know.
 */
export interface PrefixMarks {
  /**
   * Whether this database is the database of the installation. COPY: its cluster or database is not the registered home
   * of the installation. WATCHING: its server is new, so it may be a copy of the files, or a promoted replica beside
   * the original. Until `watchMs` after the first connection there, it only checks whether another installation renews
   * the marks.
   */
  standing(watchMs: number): Promise<Standing>;
  /**
   * Whether this database wrote that mark. For a copy, a mark of the original counts too, until the copy is adopted.
   */
  knows(mark: string): Promise<boolean>;
  /** The file endpoint for which this database wrote that mark. It may be removed. Undefined: the mark is unknown. */
  writerOf(mark: string): Promise<string | undefined>;
  /** The mark to write next. It stays the same until it is confirmed, because a marker may already contain it. */
  next(
    prefix: MarkedPrefix,
  ): Promise<{ readonly mark: string; /** Whether the mark replaces an unknown mark. */ readonly takesOver: boolean }>;
  /** Records that the mark was read back from the container. */
  confirm(prefix: MarkedPrefix, mark: string): Promise<void>;
  /** An operator declares this database the home of the installation: its marks replace all others. */
  adopt(): Promise<void>;
}

export type Standing =
  { readonly kind: 'OWN' } | { readonly kind: 'COPY' } | { readonly kind: 'WATCHING'; readonly until: Date };

export type MarkedPrefix = {
  readonly fileEndpointId: string;
  readonly prefix: string;
  /** When the file endpoint was created. */
  readonly since: Date;
};
