/** The contents of a database server. A restore is compared with it. Plain JSON: backup.json contains it. */
export type Inventory = {
  readonly serverVersion: string;
  readonly toolVersion: string;
  /** Bytes, as the server estimates them. */
  readonly sizeBytes: number | null;
  readonly databases: readonly InventoryDatabase[];
  /**
   * Whether names of databases, tables and views that differ only in letter case are two names (DISTINCT) or one
   * (FOLDED). Absent in old backups, which are read as FOLDED.
   */
  readonly nameCase?: 'DISTINCT' | 'FOLDED';
  /** Settings of the server that affect the values which a restore computes again. Absent: not recorded. */
  readonly settings?: Readonly<Record<string, string>>;
  /**
   * The accounts whose grants a part of the backup contains: users as `user@host`, roles by their names. Absent: the backup
   * contains no accounts.
   */
  readonly accounts?: { readonly users: readonly string[]; readonly roles: readonly string[] };
  /**
   * How the definitions below were read. Definitions that were read in different ways are not compared. Absent: no
   * definitions were read.
   */
  readonly definitionsTaken?: { readonly normalisation: number; readonly server: string };
};

export type InventoryDatabase = {
  readonly name: string;
  readonly tables: readonly InventoryTable[];
  /** The names of all other objects by kind, for example `views`, `procedures`, `triggers`, `sequences`. */
  readonly objects: Readonly<Record<string, readonly string[]>>;
  /** Properties of this engine, for example character set and collation. */
  readonly properties: Readonly<Record<string, string>>;
  /**
   * The statement size that a target must accept: the longest statement of the dump, or an estimate of the largest row.
   */
  readonly largestRowBytes?: number;
  /** Definitions of `objects`, by kind and name. Absent: they were not read. */
  readonly definitions?: Readonly<Record<string, Readonly<Record<string, Definition>>>>;
  /**
   * The requirements of this database for its server, for example `engine ARCHIVE` or `type uuid`, each with the names
   * of the objects that need it. Absent: not recorded.
   */
  readonly needs?: Readonly<Record<string, readonly string[]>>;
  /** The accounts that have privileges on this database or on its objects. Absent: not recorded. */
  readonly grantees?: readonly string[];
};

export type InventoryTable = {
  readonly name: string;
  /**
   * Null with an estimate: it is unknown whether the rows are in the backup. Null without an estimate: the table has no
   * rows of its own.
   */
  readonly rows: number | null;
  readonly rowsEstimated: boolean;
  readonly sizeBytes: number | null;
  /**
   * When the table was last written to. Null: not since the server opened it. Absent: the server does not report it
   * reliably. Not stored.
   */
  readonly changedAt?: string | null;
  /** When the definition of the table was created, if the server reports it. Not stored. */
  readonly createdAt?: string | null;
  /**
   * The type as the server names it, for example `BASE TABLE`. This field and the following fields are absent if they
   * were not recorded.
   */
  readonly type?: string;
  readonly engine?: string;
  readonly rowFormat?: string;
  readonly collation?: string;
  /** Also absent if the definition changed while the table was dumped. */
  readonly definition?: Definition;
};

/**
 * The definition of an object without the details that a restore may change: a digest to compare, and parts to name a
 * difference.
 */
export type Definition = {
  /** SHA-256 of the normalised definition, hex. */
  readonly hash: string;
  /**
   * The text of each part, or its digest if the text is long. A part named `column …` has the same name in every
   * version of the server, so these parts are compared between versions. Absent: the definition is one part, or too
   * large.
   */
  readonly parts?: Readonly<Record<string, string>>;
};

export type TableName = { readonly database: string; readonly name: string };
