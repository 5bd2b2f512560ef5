/** What a database server holds, as a restore and the next backup are compared with. Plain JSON: it lies in backup.json. */
export type Inventory = {
  readonly serverVersion: string;
  readonly toolVersion: string;
  /** Bytes as the server reckons them, an estimate. */
  readonly sizeBytes: number | null;
  readonly databases: readonly InventoryDatabase[];
  /**
   * Whether names of databases, tables and views that differ in letter case alone are two names (DISTINCT) or one
   * (FOLDED). Absent: not recorded.
   */
  readonly nameCase?: 'DISTINCT' | 'FOLDED';
  /** Settings of the server that decide what it computes anew at a restore. Absent: not recorded. */
  readonly settings?: Readonly<Record<string, string>>;
  /** How the definitions below were taken: two that were taken in another way are not compared. Absent: none were taken. */
  readonly definitionsTaken?: { readonly normalisation: number; readonly server: string };
};

export type InventoryDatabase = {
  readonly name: string;
  readonly tables: readonly InventoryTable[];
  /** Everything else by kind, for example `views`, `procedures`, `functions`, `triggers`, `events`, `sequences`: names. */
  readonly objects: Readonly<Record<string, readonly string[]>>;
  /** Engine specific, for example character set and collation. */
  readonly properties: Readonly<Record<string, string>>;
  /** What a target must accept at once: the longest statement of the dump, or an estimate of its largest row. */
  readonly largestRowBytes?: number;
  /** Definitions of `objects`, by kind and name. Absent: not taken. */
  readonly definitions?: Readonly<Record<string, Readonly<Record<string, Definition>>>>;
  /**
   * What a server must offer to hold this database, for example `engine ARCHIVE` or `type uuid`, each with the names of
   * the objects that need it. Absent: not recorded.
   */
  readonly needs?: Readonly<Record<string, readonly string[]>>;
};

export type InventoryTable = {
  readonly name: string;
  /** Null, and no estimate: it has no rows of its own. Null, and an estimate: it may be in the backup or not. */
  readonly rows: number | null;
  readonly rowsEstimated: boolean;
  readonly sizeBytes: number | null;
  /**
   * When it was last written to; null: not since the server opened it; absent: the server does not tell reliably. Not
   * stored.
   */
  readonly changedAt?: string | null;
  /** When its definition was made, where the server tells. Not stored. */
  readonly createdAt?: string | null;
  /** The server's word, for example `BASE TABLE` or `SYSTEM VERSIONED`. This and what follows, absent: not recorded. */
  readonly type?: string;
  readonly engine?: string;
  readonly rowFormat?: string;
  readonly collation?: string;
  /** Absent also where the definition changed while the table was dumped. */
  readonly definition?: Definition;
};

/** What an object is, without what a restore may change: a digest to compare, and its parts, to name what differs. */
export type Definition = {
  /** SHA-256 of the normalised definition, hex. */
  readonly hash: string;
  /** By name, for example a column: the text, or its digest where it is long. Absent: the definition is one part, or too large. */
  readonly parts?: Readonly<Record<string, string>>;
};

export type TableName = { readonly database: string; readonly name: string };
